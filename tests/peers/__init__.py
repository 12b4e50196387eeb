"""Other people's tests, with our classes put in place of theirs: ``python -m tests.peers --help``.

Their sources are not part of this project: a folder with them is named by an option or by an
environment variable. What differs from stock on purpose stands in ``expected_keras.json`` and
``expected_optax.json``, each test with its reason.
"""
