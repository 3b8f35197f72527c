"""A DAG for Airflow."""

from __future__ import annotations

import re

from harvestdetect.ops.schedule.job import ATTEMPTS, Job, calendar, sourced

__all__ = ["dag"]


def dag(job: Job) -> dict[str, str]:
    """File name -> content of a module with one DAG."""
    line = " ".join(map(_word, job.command))
    command = f"{sourced(job)}{line}; code=$?; if [ $code -eq 3 ]; then exit 0; fi; exit $code"
    when = f"timedelta(seconds={job.period})" if job.moments is None else repr(calendar(job, "airflow"))
    text = f'''\
"""harvestdetect, every {job.every}; times are UTC. Goes into the folder of DAGs; Airflow 2.9 or newer, also 3.

Of the exit codes 3 (done, with findings) counts as done. All others fail the task, which is tried again: also 75
(another run works on the state), and for want of a way to tell them apart 2 (wrong usage) and 4 (done, but look at the
input).
What a run prints goes into the task's log and not into XCom.{_about_secrets(job)}
"""

from datetime import datetime, timedelta, timezone

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id={job.name!r},
    schedule={when},
    start_date=datetime(2024, 1, 1, {job.hour}, {job.minute}, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["harvestdetect"],
):
    BashOperator(
        task_id="scan",
        bash_command={command!r},
        do_xcom_push=False,
        retries={ATTEMPTS - 1},
        retry_delay=timedelta(seconds={job.pause}),
        execution_timeout=timedelta(seconds={job.timeout}),
    )
'''
    return {f"{job.name.replace('-', '_')}_dag.py": text}


def _about_secrets(job: Job) -> str:
    if job.secrets_file is None:
        return ""
    names = f": {', '.join(job.variables)}" if job.variables else ""
    return (
        f"\n\n{job.secrets_file} on the worker contains the secrets of alerts{names}.\n"
        "Lines NAME='value', read by a shell; owned by the user of the worker, mode 0600. They are not in this file,\n"
        "nor in what Airflow shows of a task."
    )


def _word(word: str) -> str:
    """A word for bash in which Jinja, through which Airflow puts a command, finds nothing to fill in."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    quoted = "'" + word.replace("'", "'\"'\"'") + "'"
    return re.sub(r"\{(?=[{%#])", "{''", quoted)
