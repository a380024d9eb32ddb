"""Figures of matplotlib that go on being drawn, and images."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "a figure that goes on being drawn",
        """
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots()
        ax.bar(["a", "b"], [1, 2])
        (line,) = ax.plot([1, 2])
        """,
        after="""
        ax.set_title("t")
        line.set_ydata([3, 4])
        plt.title("current")
        fig.savefig("f.png")
        import os

        print(
            fig.axes[0] is ax,
            ax.lines[0] is line,
            ax.get_title(),
            plt.gcf() is fig,
            plt.gca() is ax,
            len(ax.patches),
            os.path.getsize("f.png") > 1000,
        )
        """,
    ),
    case(
        "figures that only pyplot holds",
        """
        import matplotlib.pyplot as plt

        plt.rcParams["font.size"] = 7
        plt.figure(1)
        plt.plot([1])
        plt.figure(5)
        plt.plot([1, 2])
        plt.close(1)
        plt.figure(3)
        """,
        after="""
        print(plt.get_fignums(), plt.gcf().number)
        plt.figure(5)
        print(len(plt.gca().lines), plt.rcParams["font.size"])
        """,
    ),
    case(
        "the pixels of a figure",
        """
        import hashlib
        import matplotlib.pyplot as plt
        import numpy as np

        fig, axes = plt.subplots(2, 2, figsize=(4, 3), sharex="col")
        axes[0, 0].plot([1, 3, 2], "r--", label="line")
        axes[0, 0].legend()
        bars = axes[0, 1].bar(["a", "b"], [1, 2])
        image = axes[1, 0].imshow(np.arange(16).reshape(4, 4), cmap="magma")
        fig.colorbar(image, ax=axes[1, 0])
        points = axes[1, 1].scatter([1, 2], [3, 4], c=[0.1, 0.9])
        text = axes[1, 1].annotate("here", (1, 3), arrowprops={"arrowstyle": "->"})
        twin = axes[0, 1].twinx()
        twin.plot([5, 6])
        fig.suptitle("title")


        def pixels():
            fig.canvas.draw()
            return hashlib.sha256(fig.canvas.buffer_rgba()).hexdigest()
        """,
        after="""
        first = pixels()
        bars[0].set_height(5)
        image.set_data(np.zeros((4, 4)))
        axes[0, 0].set_xlim(0, 5)
        text.set_text("there")
        print(first, pixels() != first, pixels(), axes[1, 0].get_xlim(), fig.axes[0] is axes[0, 0], twin in fig.axes)
        """,
    ),
    case(
        "a figure that pyplot no longer holds",
        """
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots()
        ax.plot([1, 2])
        plt.close(fig)
        other = plt.figure()
        """,
        after="""
        ax.plot([3, 4])
        fig.savefig("f.png")
        print(plt.get_fignums(), plt.gcf() is other, len(ax.lines), ax.figure is fig)
        """,
    ),
    case(
        "a figure made without pyplot, and one in an object",
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        import matplotlib.pyplot as plt


        class Report:
            def __init__(self):
                self.fig, (self.left, self.right) = plt.subplots(1, 2)
                self.lines = self.left.plot([1, 2])

            def update(self, values):
                self.lines[0].set_ydata(values)
                return self.lines[0].axes is self.left


        alone = Figure()
        canvas = FigureCanvasAgg(alone)
        axis = alone.subplots()
        report = Report()
        """,
        after="""
        print(report.update([5, 6]), plt.gcf() is report.fig, plt.gca() is report.right, plt.get_fignums())
        axis.plot([1])
        alone.savefig("alone.png")
        print(alone.axes[0] is axis, canvas.figure is alone, len(axis.lines))
        """,
    ),
    case(
        "colours, scales, formats and styles",
        """
        import matplotlib as mpl
        import matplotlib.pyplot as plt
        from matplotlib import colors, ticker

        ramp = colors.LinearSegmentedColormap.from_list("mine", ["black", "white"])
        scale, levels = colors.Normalize(0, 10), colors.BoundaryNorm([0, 1, 2], 2)
        plt.style.use("ggplot")
        mpl.rcParams["lines.linewidth"] = 7
        fig, ax = plt.subplots()
        ax.plot([1, 10])
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g} {unit}"))
        unit = "kg"
        """,
        after="""
        unit = "t"
        fig.canvas.draw()
        print(
            ramp(0.5),
            scale(5),
            levels(1.5),
            mpl.rcParams["lines.linewidth"],
            mpl.rcParams["axes.facecolor"],
            ax.get_yscale(),
        )
        print([t.get_text() for t in ax.get_yticklabels()][1:3], plt.figure().axes)
        """,
    ),
    case(
        "figures by name, and the current axes of each",
        """
        import matplotlib.pyplot as plt

        plt.figure("first")
        plt.subplot(121)
        plt.plot([1])
        plt.subplot(122)
        plt.figure("second")
        plt.plot([1, 2])
        plt.figure("first")
        plt.subplot(121)
        """,
        after="""
        print(plt.get_figlabels(), plt.gcf().get_label(), len(plt.gca().lines), plt.fignum_exists("second"))
        plt.figure("second")
        print(len(plt.gca().lines), plt.get_fignums())
        plt.plot([3])
        print(len(plt.gcf().axes[0].lines), plt.figure().number)
        """,
    ),
    case(
        "a figure in space, with artists kept by name",
        """
        import matplotlib.pyplot as plt
        import numpy as np

        fig = plt.figure()
        ax = fig.add_subplot(projection="3d")
        x, y = np.meshgrid(range(3), range(3))
        surface, (line,) = ax.plot_surface(x, y, x + y), ax.plot([0, 1], [0, 1], [0, 1])
        ax.view_init(10, 20)
        artists = {"line": line, "title": ax.set_title("t")}
        """,
        after="""
        artists["title"].set_text("u")
        fig.canvas.draw()
        print(
            ax.elev,
            ax.azim,
            ax.get_title(),
            artists["line"] is line,
            line.axes is ax,
            surface in ax.collections,
            ax.name,
        )
        """,
    ),
    case(
        "images of every mode",
        """
        from PIL import Image
        import numpy as np

        images = [
            Image.new(mode, (3, 2), colour)
            for mode, colour in (("RGB", "red"), ("L", 7), ("RGBA", (1, 2, 3, 4)), ("1", 255), ("F", 0.5))
        ]
        palette = images[0].convert("P", palette=Image.Palette.ADAPTIVE)
        palette.info["transparency"] = 0
        pixels = np.asarray(images[0])
        same, large = images[0], Image.fromarray(np.arange(90_000, dtype="u1").reshape(300, 300))
        """,
        after="""
        same.putpixel((0, 0), (0, 255, 0))
        for image in images:
            print(image.mode, image.size, image.tobytes(), image.getpixel((0, 0)))
        print(
            palette.mode,
            palette.getpalette()[:3],
            palette.info,
            pixels[0, 0],
            same is images[0],
            np.asarray(large).sum(),
        )
        """,
    ),
    case(
        "an image that is being drawn on, and one from a file",
        """
        from PIL import Image, ImageDraw

        image = Image.new("RGB", (20, 20))
        pen = ImageDraw.Draw(image)
        pen.rectangle((2, 2, 5, 5), fill="white")
        image.save("i.png")
        opened, loaded = Image.open("i.png"), Image.open("i.png")
        loaded.load()
        """,
        after="print(image.getpixel((3, 3)), image.size)",
        either={
            "pen": (".", "pen.point((10, 10), 'white')\nprint(image.getpixel((10, 10)))"),
            "opened": ("file", "print(opened.size, opened.getpixel((3, 3)), opened.format)"),
            "loaded": ("file", "print(loaded.size, loaded.getpixel((3, 3)), loaded.format)"),
        },
    ),
]
