"""Where the work of a scan runs: in this process, in several processes of this machine, or on the machines of Ray.

The three engines (:mod:`~harvestdetect.engines.loop`, :mod:`~harvestdetect.engines.processes`,
:mod:`~harvestdetect.engines.ray_tasks`) have one shape, :class:`~harvestdetect.engines.engine.Engine`. A stage gives
:func:`~harvestdetect.engines.engine.map_in_order` a function of a module and small items, such as ranges of rows. What
all items need is shared once, as a file that each worker maps into its memory
(:mod:`~harvestdetect.engines.sharing`). The results are the same on every engine, byte for byte.
"""
