"""What the experiments train: surfaces, small problems, data and networks."""
