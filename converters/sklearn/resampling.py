"""imbalanced-learn's ensembles: they balance each member's rows in the fit and answer as the class that they extend."""

from __future__ import annotations

from .boosting import STEPS as BOOSTING
from .meta import STEPS as META
from .trees import STEPS as TREES

STEPS = {
    "BalancedBaggingClassifier": META["BaggingClassifier"],
    "BalancedRandomForestClassifier": TREES["RandomForestClassifier"],
    "EasyEnsembleClassifier": META["BaggingClassifier"],
    "RUSBoostClassifier": BOOSTING["AdaBoostClassifier"],
}
