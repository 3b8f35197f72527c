"""Other packages that could be used instead, on the same dump and machine, each in a process of its own.

    python -m benchmarks.peers [--rows 100000] [--work DIR] [--peers BERTopic,EVoC] [--limit 7200] [--docs FILE]

The peers are optional packages (the extra ``peers``). One that is missing is reported as such, and so is one that is
stopped at ``--limit`` seconds or ``--memory`` megabytes, with how far it came. All get what the baselines get
(:mod:`benchmarks.baselines`): the distinct normalised texts of a dump of :mod:`benchmarks.laying`. All are judged by
one rule: every group of texts that ten accounts or more sent is a finding of these accounts.

Some things favour the peers, except "BERTopic of rows". Repeated texts are removed before they start. What numba keeps
on disk is compiled beforehand by a small run. Embeddings that several peers need are computed once and kept in
``--work``; their seconds count in each peer that needs them.
"""
