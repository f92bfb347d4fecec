"""keras_explainer."""
