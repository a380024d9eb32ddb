"""Arrays with NumPy and SciPy."""

from __future__ import annotations

from tests.sandbox.case import Allowed

ARRAYS: tuple[Allowed, ...] = (
    Allowed(
        "numpy: linear algebra with BLAS's own threads",
        """
import numpy as np, threadpoolctl
rng = np.random.default_rng(0)
a = rng.normal(size=(700, 700))
pools = threadpoolctl.threadpool_info()
assert any(pool["user_api"] == "blas" and pool["num_threads"] >= 1 for pool in pools), pools
b = a @ a.T
assert np.allclose(np.linalg.solve(b, b @ np.ones(700)), 1, atol=1e-3)
u, s, vt = np.linalg.svd(a)
assert np.allclose((u * s) @ vt, a)
assert (np.linalg.eigvalsh(b) > 0).all() and np.allclose(np.linalg.cholesky(b) @ np.linalg.cholesky(b).T, b)
with threadpoolctl.threadpool_limits(1, "blas"):
    assert np.allclose(a @ a.T, b)
q, r = np.linalg.qr(a[:, :50])
assert np.allclose(q @ r, a[:, :50]) and np.linalg.matrix_rank(b) == 700
assert np.einsum("ij,jk,ki->", a[:50, :50], a[:50, :50], a[:50, :50]).shape == ()
print("WORKS")
""",
    ),
    Allowed(
        "numpy: arrays in files: save, savez, memmap and text",
        """
import numpy as np, os
a = np.arange(2_000_000, dtype="f4").reshape(2000, 1000)
np.save("a.npy", a); np.savez_compressed("many.npz", a=a[:10], names=np.array(["x", "ü"]))
mapped = np.load("a.npy", mmap_mode="r")
assert isinstance(mapped, np.memmap) and mapped[1999, 999] == 1_999_999
with np.load("many.npz") as many:
    assert many["names"].tolist() == ["x", "ü"] and many["a"].sum() == a[:10].sum()
room = np.memmap("room.bin", dtype="i8", mode="w+", shape=(1000, 1000))
room[:] = np.arange(1000)
room.flush()
del room
again = np.memmap("room.bin", dtype="i8", mode="r+", shape=(1000, 1000))
again[0, 0] = 7
assert again.sum() == 1000 * 499_500 + 7 and os.path.getsize("room.bin") == 8_000_000
np.savetxt("a.txt", a[:5, :3], fmt="%.1f", delimiter=",")
assert np.loadtxt("a.txt", delimiter=",").shape == (5, 3) and np.fromfile("room.bin", "i8", count=2)[1] == 1
print("WORKS")
""",
    ),
    Allowed(
        "numpy: random numbers, FFT, polynomials and masks",
        """
import numpy as np
one, two = (np.random.default_rng(42) for _ in range(2))
assert (one.normal(size=1000) == two.normal(size=1000)).all()
children = np.random.SeedSequence(1).spawn(3)
assert len({np.random.default_rng(child).integers(1 << 60) for child in children}) == 3
np.random.seed(0)
assert abs(np.random.rand(100_000).mean() - 0.5) < 0.01
assert np.random.default_rng().random() != np.random.default_rng().random()
t = np.arange(4096) / 4096
wave = np.sin(2 * np.pi * 50 * t) + 0.5 * np.sin(2 * np.pi * 120 * t)
power = np.abs(np.fft.rfft(wave))
assert sorted(np.argsort(power)[-2:].tolist()) == [50, 120] and np.allclose(np.fft.irfft(np.fft.rfft(wave)), wave)
fit = np.polynomial.Polynomial.fit([0, 1, 2, 3], [1, 2, 5, 10], 2).convert()
assert np.allclose(fit.coef, [1, 0, 1])
masked = np.ma.masked_greater(np.arange(10), 6)
assert masked.sum() == 21 and np.percentile(np.arange(101), 90) == 90
with np.errstate(divide="raise"):
    try:
        np.ones(3) / 0
        raise SystemExit("no error")
    except FloatingPointError:
        pass
print("WORKS")
""",
    ),
    Allowed(
        "scipy: optimisation, integration and statistics",
        """
import numpy as np
from scipy import integrate, optimize, stats
best = optimize.minimize(optimize.rosen, [1.3, 0.7, 0.8, 1.9], jac=optimize.rosen_der, method="BFGS")
assert best.success and np.allclose(best.x, 1, atol=1e-4)
x = np.linspace(0, 4, 50)
(a, k), _ = optimize.curve_fit(lambda x, a, k: a * np.exp(-k * x), x, 2.5 * np.exp(-1.3 * x))
assert abs(a - 2.5) < 1e-6 and abs(k - 1.3) < 1e-6
assert abs(integrate.quad(lambda v: np.exp(-v * v), -np.inf, np.inf)[0] - np.pi**0.5) < 1e-8
orbit = integrate.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 2 * np.pi), [1, 0], rtol=1e-9)
assert abs(orbit.y[0, -1] - 1) < 1e-5
rng = np.random.default_rng(5)
assert stats.ttest_ind(rng.normal(0, 1, 500), rng.normal(1, 1, 500)).pvalue < 1e-6
assert stats.linregress([1, 2, 3], [2, 4, 6]).slope == 2 and stats.chi2_contingency([[30, 10], [10, 30]]).pvalue < 0.001
found = optimize.differential_evolution(optimize.rosen, [(0, 2)] * 3, workers=2, updating="deferred", seed=1)
assert np.allclose(found.x, 1, atol=0.01)
print("WORKS")
""",
    ),
    Allowed(
        "scipy: sparse matrices, signals, images, distances and interpolation",
        """
import numpy as np
from scipy import fft, interpolate, ndimage, signal, sparse
from scipy.cluster import hierarchy
from scipy.sparse import csgraph, linalg
from scipy.spatial import KDTree, distance
n = 2000
lap = sparse.diags([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n), format="csc")
x = linalg.spsolve(lap, np.ones(n))
assert np.allclose(lap @ x, 1) and linalg.eigsh(lap, k=3, sigma=0)[0].min() > 0
assert csgraph.connected_components(lap)[0] == 1
sparse.save_npz("lap.npz", lap)
assert (sparse.load_npz("lap.npz") != lap).nnz == 0
b, a = signal.butter(4, 0.1)
noisy = np.sin(np.linspace(0, 20, 2000)) + np.random.default_rng(0).normal(0, 0.2, 2000)
assert np.abs(signal.filtfilt(b, a, noisy) - np.sin(np.linspace(0, 20, 2000))).mean() < 0.08
assert ndimage.label(np.array([[1, 0, 1], [0, 0, 1]]))[1] == 2
points = np.random.default_rng(1).random((3000, 3))
near, _ = KDTree(points).query(points[:10], k=2, workers=2)
assert (near[:, 0] == 0).all() and distance.pdist(points[:50]).shape == (1225,)
assert hierarchy.linkage(points[:50], "ward").shape == (49, 4)
assert abs(interpolate.CubicSpline([0, 1, 2, 3], [0, 1, 8, 27])(1.5) - 3.375) < 1e-9
with fft.set_workers(2):
    assert np.allclose(fft.ifft2(fft.fft2(points[:512].T)).real, points[:512].T)
print("WORKS")
""",
    ),
)
