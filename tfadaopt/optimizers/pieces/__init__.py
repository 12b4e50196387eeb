"""What several methods have in common, as plain functions of tensors."""
