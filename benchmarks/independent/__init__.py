"""Eight worlds that were designed without knowledge of the detector and of the other benchmarks.

    python -m benchmarks.independent --data DIR [--half tuning|reporting] [--seeds 1] [--first-seed 0]
        [--designs a,b,c,d,e,f,g,h] [--rows 40000] [--encoder fast] [--work DIR] [--docs FILE] [--json FILE]

An engineer who had read neither the detector nor :mod:`benchmarks.worlds` wrote down 58 campaigns and 55 innocent
groups that resemble them, in four dumps of 24 to 40 days. Design ``a`` has addresses, networks, clients and sign-up
dates on every row. Design ``b`` has cards, sign-up dates and addresses on a part of the accounts. Designs ``c`` and
``d`` have nothing but account, time and prompt. Another engineer, who had read no more than these designs, added
designs ``e`` and ``f`` with 28 campaigns and 26 innocent groups of other kinds. Design ``e`` has 52 days and all of
those fields, design ``f`` has 17 days and the client alone. A third engineer, who had read no more than these six,
added designs ``g`` and ``h`` with 26 campaigns and 26 innocent groups of kinds that were not yet there. Design ``g``
has 33 days and the fields of ``e``, design ``h`` has 21 days without metadata. The designs stay as they were written: a
change that makes them easier for the detector would take away their value.

Texts and times are real (:mod:`benchmarks.independent.library`); who sends what is constructed, and so are the
instructions of campaigns, the prompts of products and the metadata. Each seed varies the sizes by up to 30 %, and draws
texts, wordings, times and the order anew. Without ``--data``, the texts are those of the package's grammar, to try the
benchmark out.
"""
