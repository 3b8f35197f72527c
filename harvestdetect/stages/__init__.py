"""The stages of a scan, in the phases that :func:`harvestdetect.pipeline.run_scan` calls one after the other.

=========== ==================================================== ==============================================
phase       stages                                               value
=========== ==================================================== ==============================================
reading     read                                                 :class:`~harvestdetect.stages.values.Read`
comparing   embed, neighbors, cluster                            :class:`~harvestdetect.stages.values.Compared`
forming     assign, templates, campaigns, accounts               :class:`~harvestdetect.stages.values.Formed`
measuring   part, measure                                        :class:`~harvestdetect.stages.values.Measured`
judging     judge, hunt, members, conclude                       :class:`~harvestdetect.stages.values.Concluded`
=========== ==================================================== ==============================================

A phase takes the values of the phases before it and the :class:`~harvestdetect.stages.plan.ScanPlan`, and returns
one value. No stage looks for results of an earlier scan, except for the cache of vectors: what is known is passed in.
:mod:`harvestdetect.incremental` replaces the members of :class:`~harvestdetect.stages.plan.ReusableStages` by
functions that reuse results.
"""
