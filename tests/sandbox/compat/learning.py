"""Machine learning with scikit-learn, and joblib's ways of working in parallel."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

LEARNING: tuple[Allowed, ...] = (
    Allowed(
        "scikit-learn: a pipeline over numbers and categories, cross-validated",
        """
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, roc_auc_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
rng = np.random.default_rng(0)
n = 2000
X = pd.DataFrame({"age": rng.normal(40, 10, n), "income": rng.gamma(3, 1000, n),
                  "city": rng.choice(["A", "B", "C"], n)})
y = (X.age / 10 + (X.city == "A") * 2 + rng.normal(0, 0.5, n) > 4.5).astype(int)
X.loc[::17, "age"] = np.nan
numbers = make_pipeline(SimpleImputer(), StandardScaler())
columns = ColumnTransformer([("n", numbers, ["age", "income"]), ("c", OneHotEncoder(), ["city"])])
model = make_pipeline(columns, LogisticRegression())
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
model.fit(X_train, y_train)
assert roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]) > 0.9
assert cross_val_score(model, X, y, cv=5).mean() > 0.85
print(classification_report(y_test, model.predict(X_test)))
display(model)
print("WORKS")
""",
    ),
    Allowed(
        "scikit-learn: a grid search with two processes",
        """
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.svm import SVC
X, y = load_digits(return_X_y=True)
search = GridSearchCV(SVC(), {"C": [1, 10], "gamma": [0.001, 0.01]}, cv=3, n_jobs=2, verbose=1)
search.fit(X[:900], y[:900])
assert search.best_score_ > 0.93 and search.best_params_["gamma"] == 0.001, search.best_score_
some = RandomizedSearchCV(SVC(), {"C": [0.1, 1, 10, 100]}, n_iter=2, cv=2, n_jobs=2, random_state=0)
some.fit(X[:300], y[:300])
assert len(some.cv_results_["params"]) == 2
print(search.best_params_, round(search.score(X[900:], y[900:]), 3))
print("WORKS")
""",
        timeout=300,
    ),
    Allowed(
        "scikit-learn: forests and boosting on all processors, a model written with joblib",
        """
import joblib, numpy as np
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.inspection import permutation_importance
X, y = make_classification(2000, 20, n_informative=8, random_state=0)
forest = RandomForestClassifier(60, n_jobs=-1, oob_score=True, random_state=0).fit(X, y)
assert forest.oob_score_ > 0.85 and abs(forest.feature_importances_.sum() - 1) < 1e-9
boosted = HistGradientBoostingClassifier(max_iter=30).fit(X, y)
assert boosted.score(X, y) > 0.95
importance = permutation_importance(forest, X[:300], y[:300], n_repeats=2, n_jobs=2, random_state=0)
assert importance.importances_mean.shape == (20,)
Xr, yr = make_regression(500, 5, random_state=0)
assert ExtraTreesRegressor(20, n_jobs=-1).fit(Xr, yr).score(Xr, yr) > 0.99
joblib.dump(forest, "forest.joblib", compress=3)
assert (joblib.load("forest.joblib").predict(X) == forest.predict(X)).all()
print("WORKS")
""",
        timeout=300,
    ),
    Allowed(
        "scikit-learn: clusters, components and neighbours",
        """
import numpy as np
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.neighbors import KNeighborsClassifier
X, y = make_blobs(600, centers=4, cluster_std=0.5, random_state=3)
for method in (KMeans(4, n_init=3, random_state=0), MiniBatchKMeans(4, n_init=3, random_state=0),
               AgglomerativeClustering(4), DBSCAN(eps=0.8)):
    assert adjusted_rand_score(y, method.fit_predict(X)) > 0.9, method
assert PCA(1).fit(X).explained_variance_ratio_[0] > 0.4
assert KNeighborsClassifier(5, n_jobs=2).fit(X, y).score(X, y) > 0.98
assert pairwise_distances(X, n_jobs=2).shape == (600, 600)
assert TSNE(2, init="random", perplexity=10, max_iter=250, n_jobs=2).fit_transform(X[:100]).shape == (100, 2)
texts = ["the cat sat", "the dog sat", "stocks fell today", "stocks rose today"]
parts = TruncatedSVD(2, random_state=0).fit_transform(TfidfVectorizer().fit_transform(texts))
assert parts.shape == (4, 2)
print("WORKS")
""",
        timeout=300,
    ),
    Allowed(
        "joblib: parallel work in processes, threads and multiprocessing's pool",
        """
import math, os
from joblib import Parallel, delayed, effective_n_jobs, parallel_backend
def work(i):
    return i, math.factorial(i) % 1000003, os.getpid()
for backend in ("loky", "threading", "multiprocessing"):
    results = Parallel(n_jobs=2, backend=backend)(delayed(work)(i) for i in range(40))
    assert [value for _, value, _ in results] == [math.factorial(i) % 1000003 for i in range(40)], backend
    own = {pid for *_, pid in results} == {os.getpid()}
    assert own == (backend == "threading"), backend
assert effective_n_jobs(-1) >= 1
with parallel_backend("loky", n_jobs=2):
    assert Parallel()(delayed(lambda x: x * 2)(i) for i in range(5)) == [0, 2, 4, 6, 8]
streamed = Parallel(n_jobs=2, return_as="generator_unordered")(delayed(pow)(i, 2) for i in range(10))
assert sorted(streamed) == [i * i for i in range(10)]
try:
    Parallel(n_jobs=2)(delayed(math.sqrt)(x) for x in (1, -1))
    raise SystemExit("no error came back")
except ValueError:
    pass
print("WORKS")
""",
        group=Group.SESSIONS,
        timeout=300,
    ),
    Allowed(
        "joblib: large arrays shared with its processes as memory maps",
        """
import numpy as np
from joblib import Parallel, delayed, dump, load
data = np.arange(4_000_000, dtype="f8")  # Joblib maps what it passes from one megabyte on.
def part(array, start):
    return type(array).__name__, float(array[start:start + 1_000_000].sum())
results = Parallel(n_jobs=2)(delayed(part)(data, start) for start in range(0, 4_000_000, 1_000_000))
assert {name for name, _ in results} == {"memmap"}, results
assert sum(value for _, value in results) == data.sum()
here = Parallel(n_jobs=2, temp_folder=".", mmap_mode="c")(delayed(part)(data, 0) for _ in range(2))
assert here[0][0] == "memmap"
output = np.memmap("sums.bin", dtype="f8", mode="w+", shape=8)
def fill(target, i):
    target[i] = i * i
Parallel(n_jobs=2)(delayed(fill)(output, i) for i in range(8))
assert output.tolist() == [i * i for i in range(8)]
dump(data, "data.joblib")
assert load("data.joblib", mmap_mode="r")[-1] == 3_999_999
print("WORKS")
""",
        group=Group.RESOURCES,
        timeout=300,
    ),
    Allowed(
        "joblib: results kept in files with Memory",
        """
import pathlib, time
from joblib import Memory, hash
memory = Memory("cache", verbose=0)
memory.clear(warn=False)
calls = []
@memory.cache(ignore=["note"])
def slow(x, note=""):
    calls.append(x)
    return x ** 2
assert [slow(3), slow(3, note="again"), slow(4)] == [9, 9, 16] and calls == [3, 4]
assert slow.check_call_in_cache(4) and not slow.check_call_in_cache(5)
assert any(pathlib.Path("cache").rglob("output.pkl"))
assert hash({"a": [1, 2]}) == hash({"a": [1, 2]})
memory.reduce_size(bytes_limit=0)
assert slow(3) == 9 and calls == [3, 4, 3]
print("WORKS")
""",
    ),
)
