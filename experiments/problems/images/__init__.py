"""Problems that were published: networks, image sets by ``keras.datasets``, and their names."""
