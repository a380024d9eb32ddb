"""What scikit-learn has fitted, and what scipy makes."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "a fitted pipeline of several steps",
        """
        import numpy as np
        import pandas as pd
        from sklearn.compose import ColumnTransformer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        x = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "c": ["a", "b", "a", "b"]})
        y = np.array([0, 0, 1, 1])
        columns = ColumnTransformer([("num", StandardScaler(), ["n"]), ("cat", OneHotEncoder(), ["c"])])
        pipe = Pipeline([("columns", columns), ("model", LogisticRegression())]).fit(x, y)
        model, scaler = pipe["model"], pipe["columns"].named_transformers_["num"]
        """,
        after="""
        print(
            pipe.predict_proba(x),
            model is pipe.steps[1][1],
            scaler.mean_,
            pipe["columns"].get_feature_names_out(),
            columns is pipe["columns"],
        )
        pipe.set_params(model__C=10).fit(x, y)
        print(model.coef_, pipe.score(x, y))
        """,
    ),
    case(
        "a forest, clusters and a search, fitted",
        """
        import numpy as np
        from sklearn.cluster import KMeans
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import GridSearchCV, train_test_split
        from sklearn.tree import DecisionTreeClassifier

        rng = np.random.default_rng(0)
        x, y = rng.random((60, 3)), np.arange(60) % 2
        forest = RandomForestClassifier(5, random_state=1).fit(x, y)
        clusters = KMeans(2, n_init=1, random_state=0).fit(x)
        search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=3).fit(x, y)
        x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=2)
        """,
        after="""
        print(
            forest.predict(x).tolist(),
            forest.feature_importances_,
            clusters.predict(x).tolist(),
            search.best_params_,
        )
        print(search.predict(x_test).tolist(), forest.estimators_[0].tree_.node_count, rng.random(), x_train.shape)
        """,
    ),
    case(
        "estimators and functions of the session",
        """
        import numpy as np
        from sklearn.base import BaseEstimator, TransformerMixin, clone
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer


        class Scale(BaseEstimator, TransformerMixin):
            def __init__(self, by=1):
                self.by = by

            def fit(self, x, y=None):
                self.seen_ = len(x)
                return self

            def transform(self, x):
                return np.asarray(x) * self.by * factor


        factor = 1
        pipe = make_pipeline(Scale(2), FunctionTransformer(lambda v: v + offset), LinearRegression())
        offset = 0
        pipe.fit([[1.0], [2.0]], [1, 2])
        """,
        after="""
        factor, offset = 10, 5
        print(pipe.predict([[3.0]]), pipe[0].seen_, clone(pipe[0]).by, type(pipe[0]) is Scale, pipe[0])
        """,
    ),
    case(
        "sparse matrices",
        """
        import numpy as np
        from scipy import sparse

        rows = sparse.csr_matrix(([1.0, 2.0, 3.0], ([0, 1, 1], [2, 0, 2])), shape=(2, 3))
        columns, triples, lists, keys = rows.tocsc(), rows.tocoo(), rows.tolil(), rows.todok()
        array, diagonal = sparse.coo_array(np.eye(2)), sparse.dia_array(np.eye(3))
        data = rows.data
        large = sparse.random_array((3000, 3000), density=0.01, rng=1, format="csr")
        """,
        after="""
        data[0] = 100
        lists[0, 0] = 5
        print(
            rows.toarray(),
            columns.toarray(),
            triples.nnz,
            lists.toarray(),
            keys[(1, 0)],
            array @ [1, 2],
            diagonal.trace(),
        )
        print(type(rows).__name__, rows.data is data, large.nnz, float(large.sum()))
        """,
    ),
    case(
        "distributions, interpolations, trees and results of scipy",
        """
        import numpy as np
        from scipy import interpolate, optimize, spatial, stats

        normal, drawn = stats.norm(2, 3), stats.gaussian_kde([1.0, 2.0, 4.0])
        curve = interpolate.CubicSpline([0, 1, 2], [0, 1, 4])
        tree = spatial.KDTree([[0, 0], [1, 1], [3, 3]])


        def cost(v):
            return (v[0] - target) ** 2


        target = 3
        found = optimize.minimize(cost, [0.0])
        test, turn = stats.ttest_ind([1, 2, 3], [2, 3, 5]), spatial.transform.Rotation.from_euler("z", 90, degrees=True)
        """,
        after="""
        target = 5
        print(
            normal.cdf(2),
            drawn(2.0),
            curve(1.5),
            tree.query([0.9, 0.9]),
            round(found.x[0], 3),
            found.success,
            test.pvalue,
        )
        print(round(optimize.minimize(cost, [0.0]).x[0], 3), turn.apply([1, 0, 0]).round(6))
        """,
    ),
]
