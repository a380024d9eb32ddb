"""Figures and images."""

from __future__ import annotations

from tests.sandbox.case import Allowed

PLOTS: tuple[Allowed, ...] = (
    Allowed(
        "matplotlib: every common kind of plot in one figure",
        """
import matplotlib.pyplot as plt, numpy as np
rng = np.random.default_rng(0)
x = np.linspace(0, 10, 200)
fig, axes = plt.subplots(4, 4, figsize=(16, 14), layout="constrained")
a = axes.flat
a[0].plot(x, np.sin(x), "r--", label=r"$\\sin(x)$"); a[0].legend()
a[1].scatter(rng.random(50), rng.random(50), c=rng.random(50), s=80, cmap="viridis")
a[2].bar(list("abc"), [3, 1, 2], yerr=[0.2] * 3)
a[3].barh(list("abc"), [3, 1, 2])
a[4].hist(rng.normal(size=1000), bins=30, density=True)
a[5].boxplot([rng.normal(i, 1, 100) for i in range(3)])
a[6].violinplot([rng.normal(i, 1, 100) for i in range(3)])
a[7].pie([1, 2, 3], labels=list("xyz"), autopct="%.0f %%")
shown = a[8].imshow(rng.random((10, 10))); fig.colorbar(shown, ax=a[8])
a[9].contourf(*np.meshgrid(x, x), np.add.outer(np.sin(x), np.cos(x)))
a[10].fill_between(x, 0, np.exp(-x)); a[10].set_yscale("log")
a[11].errorbar(range(5), range(5), yerr=0.5, capsize=3)
a[12].step(range(5), [1, 3, 2, 5, 4]); a[12].annotate("peak", (3, 5), arrowprops={"arrowstyle": "->"}, xytext=(1, 4))
a[13].stackplot(range(3), [1, 2, 3], [3, 2, 1])
a[14].hexbin(rng.normal(size=500), rng.normal(size=500), gridsize=15)
a[15].quiver(*np.meshgrid(range(5), range(5)), 1, 0.5)
a[15].set_title(r"$\\int_0^\\infty e^{-x^2}\\,dx=\\frac{\\sqrt{\\pi}}{2}$")
plt.show()
print("WORKS")
""",
    ),
    Allowed(
        "matplotlib: a figure saved as PNG, SVG, PDF, JPEG and TIFF",
        """
import matplotlib.pyplot as plt, io, os
from PIL import Image
fig, ax = plt.subplots()
ax.plot([1, 4, 9], marker="o"); ax.set_xlabel("Größe [µm]"); ax.set_title("Verlauf")
kinds = {"png": b"\\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "jpg": b"\\xff\\xd8", "tiff": b"II*", "eps": b"%!PS",
         "webp": b"RIFF"}
for kind, begin in kinds.items():
    fig.savefig(f"figure.{kind}", dpi=150, bbox_inches="tight")
    assert open(f"figure.{kind}", "rb").read(len(begin)) == begin, kind
buffer = io.BytesIO()
fig.savefig(buffer, format="png", transparent=True)
buffer.seek(0)
assert Image.open(buffer).mode == "RGBA" and Image.open("figure.png").width > 500
from matplotlib.backends.backend_pdf import PdfPages
with PdfPages("pages.pdf") as pages:
    pages.savefig(fig); pages.savefig(fig)
assert open("pages.pdf", "rb").read().count(b"/Type /Page ") == 2
plt.close("all")
print("WORKS")
""",
    ),
    Allowed(
        "matplotlib: an animation as GIF through Pillow, and as HTML",
        """
import matplotlib.pyplot as plt, numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from PIL import Image
fig, ax = plt.subplots(figsize=(3, 2))
line, = ax.plot([], []); ax.set_xlim(0, 6.3); ax.set_ylim(-1, 1)
def draw(step):
    x = np.linspace(0, 6.3, 100)
    line.set_data(x, np.sin(x + step / 2))
    return (line,)
movie = FuncAnimation(fig, draw, frames=12, blit=True)
movie.save("wave.gif", writer=PillowWriter(fps=12))
assert Image.open("wave.gif").n_frames == 12
assert movie.to_jshtml(fps=6).count("data:image/png;base64") == 12
plt.close(fig)
print("WORKS")
""",
    ),
    Allowed(
        "matplotlib: three dimensions, polar axes, dates and styles",
        """
import matplotlib.pyplot as plt, matplotlib.dates as mdates, numpy as np, pandas as pd
with plt.style.context("ggplot"):
    fig = plt.figure(figsize=(9, 7))
    x, y = np.meshgrid(np.linspace(-3, 3, 40), np.linspace(-3, 3, 40))
    surface = fig.add_subplot(221, projection="3d")
    surface.plot_surface(x, y, np.sin(np.hypot(x, y)), cmap="coolwarm"); surface.view_init(30, 45)
    polar = fig.add_subplot(222, projection="polar")
    polar.plot(np.linspace(0, 6.28, 100), np.linspace(0, 1, 100))
    dated = fig.add_subplot(223)
    pd.Series(np.arange(400).cumsum(), pd.date_range("2025", periods=400)).plot(ax=dated)
    other = dated.twinx(); other.set_ylabel("right")
    days = fig.add_subplot(224)
    days.plot(pd.date_range("2025", periods=10).to_numpy(), range(10))
    days.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))
    fig.autofmt_xdate(); fig.tight_layout(); fig.savefig("axes.png")
    labels = [label.get_text() for label in days.get_xticklabels()]
assert "01 Jan" in labels, labels
plt.close(fig)
with plt.rc_context({"font.family": "serif", "axes.grid": True}):
    pd.DataFrame({"a": [1, 2], "b": [2, 1]}).plot.bar(stacked=True); plt.savefig("bars.svg"); plt.close()
print("WORKS")
""",
    ),
    Allowed(
        "plots of distributions: density, heat map, violins, pairs",
        """
import matplotlib.pyplot as plt, numpy as np, pandas as pd
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.stats import gaussian_kde
rng = np.random.default_rng(1)
data = pd.DataFrame({"a": rng.normal(size=300), "b": rng.gamma(2, 1, 300), "c": rng.random(300)})
data["d"] = data.a * 2 + rng.normal(size=300) / 5
fig, axes = plt.subplots(2, 2, figsize=(8, 7))
grid = np.linspace(-4, 4, 200)
density = gaussian_kde(data.a)(grid)
assert abs(np.trapezoid(density, grid) - 1) < 0.01
axes[0, 0].fill_between(grid, density, alpha=0.4)
corr = data.corr()
axes[0, 1].imshow(corr, vmin=-1, vmax=1, cmap="RdBu")
for (i, j), value in np.ndenumerate(corr.to_numpy()):
    axes[0, 1].text(j, i, f"{value:.2f}", ha="center", va="center")
assert corr.loc["a", "d"] > 0.95
axes[1, 0].violinplot([data[c] for c in data], showmedians=True)
dendrogram(linkage(data.head(20), "average"), ax=axes[1, 1])
plt.show()
pd.plotting.scatter_matrix(data, diagonal="kde", figsize=(6, 6)); plt.show()
data.plot.kde(); plt.close()
print("WORKS")
""",
    ),
    Allowed(
        "matplotlib: Chinese, Japanese and Korean text without missing glyphs",
        """
import warnings
import matplotlib.pyplot as plt
from matplotlib import font_manager
from fontTools.ttLib import TTCollection, TTFont
wanted = {"zh": "数据分析结果", "ja": "売上グラフ", "ko": "매출 그래프"}
def glyphs(path):
    if "LastResort" in path:  # It draws a box for everything.
        return set()
    fonts = TTCollection(path).fonts if path.endswith(".ttc") else [TTFont(path)]
    return set().union(*(font.getBestCmap() or {} for font in fonts))
fonts = {entry.name: glyphs(entry.fname) for entry in font_manager.fontManager.ttflist}
missing = {language: text for language, text in wanted.items()
           if not any(set(map(ord, text.replace(" ", ""))) <= has for has in fonts.values())}
assert not missing, f"no font has the characters of {missing}"
fallback = [name for name, has in fonts.items() if any(ord(c) in has for text in wanted.values() for c in text)]
with warnings.catch_warnings(), plt.rc_context({"font.family": ["DejaVu Sans", *fallback]}):
    warnings.simplefilter("error")
    fig, ax = plt.subplots()
    ax.set_title(" / ".join(wanted.values())); ax.set_xlabel("日本語")
    ax.bar(["北京", "東京", "서울"], [1, 2, 3])
    fig.savefig("cjk.png"); plt.close(fig)
print(sorted(fallback))
print("WORKS")
""",
    ),
    Allowed(
        "matplotlib: such text in a plot that names no font",
        """
import warnings
import matplotlib.pyplot as plt
with warnings.catch_warnings():
    warnings.simplefilter("error")
    plt.bar(["北京", "東京", "서울"], [1, 2, 3])
    plt.title("数据分析 / 売上 / 매출 / Größe / Объём")
    plt.savefig("plain.png")
plt.close()
print("WORKS")
""",
    ),
    Allowed(
        "Pillow: images drawn, filtered, resized and written",
        """
import io, numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps, ImageStat
image = Image.new("RGB", (320, 200), "white")
draw = ImageDraw.Draw(image)
draw.ellipse((40, 40, 160, 160), fill=(200, 30, 30)); draw.line((0, 0, 319, 199), fill="blue", width=3)
draw.text((180, 90), "Ärger: 3 €", fill="black", font=ImageFont.load_default(18))
assert ImageStat.Stat(image.convert("L")).mean[0] < 254
for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    buffer.seek(0)
    assert Image.open(buffer).size == (320, 200), kind
small = image.filter(ImageFilter.GaussianBlur(2)).resize((32, 20), Image.Resampling.LANCZOS)
small = ImageOps.grayscale(small).rotate(90, expand=True)
assert small.size == (20, 32) and np.asarray(small).dtype == "uint8"
array = np.asarray(image).copy(); array[:, :, 0] = 255
Image.fromarray(array).save("red.png"); assert Image.open("red.png").getpixel((5, 190)) == (255, 255, 255)
display(small)
print("WORKS")
""",
    ),
    Allowed(
        "displays: HTML, Markdown, LaTeX, SVG, JSON and a frame as a table",
        """
import matplotlib.pyplot as plt, pandas as pd
from IPython.display import HTML, JSON, Image, Latex, Markdown, Math, SVG, clear_output, display, update_display
display(HTML("<b>bold</b>"), Markdown("# Result\\n* one"), Latex(r"$$e^{i\\pi} = -1$$"), Math(r"\\frac{1}{2}"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><circle r='4' cx='4' cy='4'/></svg>"))
display(JSON({"a": [1, 2]}), pd.DataFrame({"x": [1, 2]}), {"plain": 1})
handle = display("first", display_id=True)
handle.update("second")
%config InlineBackend.figure_formats = ["svg", "png"]
plt.plot([1, 2]); plt.savefig("shown.png"); plt.show()
%matplotlib inline
display(Image("shown.png", width=100))
class Shown:
    def _repr_html_(self): return "<i>mine</i>"
    def _repr_png_(self): return open("shown.png", "rb").read()
display(Shown())
clear_output(wait=False)
print("WORKS")
""",
    ),
)
