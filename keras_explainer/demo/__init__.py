"""The demonstration: creatures whose parts we drew, explained and checked."""

from keras_explainer.demo.demo import Demo, run_demo
from keras_explainer.demo.ground_truth import ground_truth

__all__ = ["Demo", "ground_truth", "run_demo"]
