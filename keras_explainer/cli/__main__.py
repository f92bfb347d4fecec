"""`python -m keras_explainer.cli`."""

from keras_explainer.cli.main import main

main()
