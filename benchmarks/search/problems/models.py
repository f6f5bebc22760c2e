"""What is tuned of scikit-learn: for each task its parameters, and the model that a point of them stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from benchmarks.search.problems.parts import numbers
from katib.core.objective import Direction, Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Parameters

LOG = Distribution.LOG_UNIFORM


class Task(NamedTuple):
    """data: name of the data set in scikit-learn, of which so many ``rows``, drawn, are used. folds: of the cross
    validation. metric: see ``scikit_learn.METRICS``; the objective's name too."""

    data: str
    rows: int
    folds: int
    space: SearchSpace
    model: Callable[[Parameters], Any]
    metric: str

    @property
    def objective(self) -> Objective:
        """Accuracy is the larger the better, all else the smaller."""
        return Objective(self.metric, Direction.MAXIMIZE if self.metric == "accuracy" else Direction.MINIMIZE)


def _among(parameters: Parameters, *names: str) -> dict[str, Any]:
    """Those of the parameters that are active, under the model's own names."""
    return {name: parameters[name] for name in names if name in parameters}


_SCALERS: Mapping[str, Callable[[], Any]] = {
    "none": lambda: "passthrough",
    "standard": StandardScaler,
    "range": MinMaxScaler,
    "quantile": lambda: QuantileTransformer(n_quantiles=20, random_state=0),
}

_SVM = SearchSpace(
    (
        Choice("scaler", ("none", "standard", "range")),
        Choice("kernel", ("linear", "rbf", "poly", "sigmoid")),
        Real("C", 1e-3, 1e3, LOG),
        Real("gamma", 1e-6, 10.0, LOG, condition=Condition("kernel", ("rbf", "poly", "sigmoid"))),
        Integer("degree", 2, 5, condition=Condition("kernel", ("poly",))),
        Real("coef0", -1.0, 1.0, condition=Condition("kernel", ("poly", "sigmoid"))),
    )
)


def _svm(parameters: Parameters) -> Any:
    settings = _among(parameters, "kernel", "C", "gamma", "degree", "coef0")
    return make_pipeline(_SCALERS[str(parameters["scaler"])](), SVC(max_iter=2000, random_state=0, **settings))


_FOREST = SearchSpace(
    (
        Integer("n_estimators", 3, 16),
        Integer("max_depth", 1, 12),
        Integer("min_samples_leaf", 1, 30, LOG),
        Real("max_features", 0.03, 1.0),
        Choice("criterion", ("gini", "entropy")),
        Choice("bootstrap", (True, False)),
        Real("max_samples", 0.1, 1.0, condition=Condition("bootstrap", (True,))),
    )
)


def _forest(parameters: Parameters) -> Any:
    return RandomForestClassifier(random_state=0, **parameters)


_BOOSTING = SearchSpace(
    (
        Integer("n_estimators", 5, 30, LOG),
        Real("learning_rate", 0.005, 1.0, LOG),
        Integer("max_depth", 1, 4),
        Real("subsample", 0.3, 1.0),
        Real("max_features", 0.1, 1.0),
        Integer("min_samples_leaf", 1, 30, LOG),
        Choice("loss", ("squared_error", "absolute_error", "huber")),
        Real("alpha", 0.5, 0.99, condition=Condition("loss", ("huber",))),
    )
)


def _boosting(parameters: Parameters) -> Any:
    return GradientBoostingRegressor(random_state=0, **parameters)


_NETWORK = SearchSpace(
    (
        Choice("solver", ("adam", "sgd")),
        Real("rate", 1e-4, 1.0, LOG),
        Real("momentum", 0.0, 0.99, condition=Condition("solver", ("sgd",))),
        Real("alpha", 1e-7, 1.0, LOG),
        Ordinal("batch", (20, 40, 80, 150)),
        Choice("activation", ("relu", "tanh", "logistic")),
        Integer("layers", 1, 3),
        Integer("units-1", 4, 64, LOG),
        Integer("units-2", 4, 64, LOG, condition=Condition("layers", (2, 3))),
        Integer("units-3", 4, 64, LOG, condition=Condition("layers", (3,))),
    )
)


def _network(parameters: Parameters) -> Any:
    n = numbers(parameters)
    classifier = MLPClassifier(
        hidden_layer_sizes=[int(n[f"units-{i}"]) for i in range(1, int(n["layers"]) + 1)],
        learning_rate_init=n["rate"],
        batch_size=int(n["batch"]),
        max_iter=10,
        random_state=0,
        **_among(parameters, "solver", "momentum", "alpha", "activation"),
    )
    return make_pipeline(MinMaxScaler(), classifier)


_ELASTIC = SearchSpace(
    (
        Real("alpha", 1e-4, 10.0, LOG),
        Real("l1_ratio", 0.0, 1.0),
        Choice("scaler", ("standard", "range", "quantile")),
        Integer("degree", 1, 2),
        Choice("interaction_only", (True, False), condition=Condition("degree", (2,))),
        Choice("fit_intercept", (True, False)),
    )
)


def _elastic(parameters: Parameters) -> Any:
    features = PolynomialFeatures(include_bias=False, **_among(parameters, "degree", "interaction_only"))
    regression = ElasticNet(max_iter=300, random_state=0, **_among(parameters, "alpha", "l1_ratio", "fit_intercept"))
    return make_pipeline(_SCALERS[str(parameters["scaler"])](), features, regression)


_PIPELINE = SearchSpace(
    (
        Choice("scaler", ("none", "standard", "range", "quantile")),
        Choice("reduce", (True, False)),
        Integer("components", 1, 13, condition=Condition("reduce", (True,))),
        Choice("model", ("logistic", "neighbors", "tree")),
        Real("C", 1e-4, 1e4, LOG, condition=Condition("model", ("logistic",))),
        Integer("n_neighbors", 1, 60, LOG, condition=Condition("model", ("neighbors",))),
        Choice("weights", ("uniform", "distance"), condition=Condition("model", ("neighbors",))),
        Ordinal("p", (1, 2, 3), condition=Condition("model", ("neighbors",))),
        Integer("max_depth", 1, 12, condition=Condition("model", ("tree",))),
        Integer("min_samples_leaf", 1, 40, LOG, condition=Condition("model", ("tree",))),
    )
)
_CLASSIFIERS: Mapping[str, Callable[..., Any]] = {
    "logistic": lambda **settings: LogisticRegression(max_iter=50, **settings),
    "neighbors": KNeighborsClassifier,
    "tree": lambda **settings: DecisionTreeClassifier(random_state=0, **settings),
}


def _pipeline(parameters: Parameters) -> Any:
    settings = _among(parameters, "C", "n_neighbors", "weights", "p", "max_depth", "min_samples_leaf")
    components = parameters.get("components")
    reduction = "passthrough" if components is None else PCA(int(components), random_state=0)
    classifier = _CLASSIFIERS[str(parameters["model"])](**settings)
    return make_pipeline(_SCALERS[str(parameters["scaler"])](), reduction, classifier)


TASKS: Mapping[str, Task] = {
    "svm-digits": Task("digits", 400, 3, _SVM, _svm, "accuracy"),
    "forest-breast-cancer": Task("breast_cancer", 400, 2, _FOREST, _forest, "brier"),
    "boosting-diabetes": Task("diabetes", 240, 2, _BOOSTING, _boosting, "rmse"),
    "network-digits": Task("digits", 300, 2, _NETWORK, _network, "log-loss"),
    "elastic-diabetes": Task("diabetes", 442, 3, _ELASTIC, _elastic, "rmse"),
    "pipeline-wine": Task("wine", 178, 3, _PIPELINE, _pipeline, "log-loss"),
}
