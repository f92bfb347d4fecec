"""The command line `keras-explainer`: one file per command, no logic of its own."""
