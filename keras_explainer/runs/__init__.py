"""Runs: learning and measuring put together, over one folder per run."""

from keras_explainer.runs.checkpoint import Checkpoint, Progress
from keras_explainer.runs.data_config import DataConfig
from keras_explainer.runs.early_stop import EarlyStop
from keras_explainer.runs.evaluation import evaluate
from keras_explainer.runs.explainer_config import ExplainerConfig, resolve_recipe
from keras_explainer.runs.fidelity import Fidelity
from keras_explainer.runs.learning_config import LearningConfig
from keras_explainer.runs.measured_images import measured_images
from keras_explainer.runs.run_config import RunConfig
from keras_explainer.runs.run_facts import RunFacts
from keras_explainer.runs.run_folder import RunFolder
from keras_explainer.runs.run_lock import RunLock
from keras_explainer.runs.teacher_choice import make_teacher, read_labels
from keras_explainer.runs.training import resume, train
from keras_explainer.runs.training_state import RUN_FACTS, TrainingState
from keras_explainer.runs.versions import current_versions

__all__ = [
    "RUN_FACTS",
    "Checkpoint",
    "DataConfig",
    "EarlyStop",
    "ExplainerConfig",
    "Fidelity",
    "LearningConfig",
    "Progress",
    "RunConfig",
    "RunFacts",
    "RunFolder",
    "RunLock",
    "TrainingState",
    "current_versions",
    "evaluate",
    "make_teacher",
    "read_labels",
    "resolve_recipe",
    "resume",
    "measured_images",
    "train",
]
