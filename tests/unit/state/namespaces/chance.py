"""Random numbers go on where they were."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "random numbers go on",
        """
        import random

        random.seed(5)
        random.random()
        mine = random.Random(3)
        mine.random()
        random.gauss(0, 1)
        """,
        after="print(random.random(), random.gauss(0, 1), mine.random())",
    ),
    case(
        "random numbers from several sources",
        """
        import random

        mine, copy = random.Random(7), random.Random()
        mine.gauss(0, 1)
        copy.setstate(mine.getstate())


        class Loaded(random.Random):
            def random(self):
                return super().random() * scale


        loaded, scale = Loaded(1), 1
        draw = mine.choice
        """,
        after="""
        scale = 0
        print(mine.random() == copy.random(), mine.gauss(0, 1), draw([1, 2, 3]), draw.__self__ is mine, loaded.random())
        """,
    ),
    case(
        "numpy random numbers and options",
        """
        import numpy as np

        np.random.seed(1)
        np.random.rand()
        g = np.random.default_rng(4)
        g.random()
        np.set_printoptions(precision=2)
        """,
        after="print(np.random.rand(3), g.random(2), np.random.randint(100), np.array([1 / 3]))",
    ),
    case(
        "generators of random numbers, two on one stream",
        """
        import numpy as np

        bits = np.random.PCG64(3)
        first, second = np.random.Generator(bits), np.random.Generator(bits)
        old, other = np.random.RandomState(5), np.random.Generator(np.random.MT19937(1))
        seeds = np.random.SeedSequence(7)
        child, draw = seeds.spawn(1)[0], first.normal
        old.normal(), first.integers(10, size=3), other.random()
        """,
        after="""
        print(first.random(), second.random(), first.integers(100), old.normal(), other.standard_normal())
        print(seeds.spawn(1)[0].spawn_key, child.generate_state(2), bits.random_raw(), draw() == draw())
        """,
    ),
]
