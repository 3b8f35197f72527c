"""The stages of a scan, in the chapters that :func:`harvestdetect.pipeline.run_scan` calls one after the other.

=========== ==================================================== ==============================================
chapter     stages                                               value
=========== ==================================================== ==============================================
reading     read                                                 :class:`~harvestdetect.stages.values.Read`
comparing   embed, neighbors, cluster                            :class:`~harvestdetect.stages.values.Compared`
forming     assign, templates, campaigns, accounts               :class:`~harvestdetect.stages.values.Formed`
measuring   part, measure                                        :class:`~harvestdetect.stages.values.Measured`
judging     judge, members, conclude                             :class:`~harvestdetect.stages.values.Concluded`
=========== ==================================================== ==============================================

A chapter takes the values of the chapters before it and the :class:`~harvestdetect.stages.plan.ScanPlan`, and returns
one value. No stage knows of an earlier scan: :mod:`harvestdetect.incremental` replaces the members of
:class:`~harvestdetect.stages.plan.Stages` by functions that reuse its results.
"""
