"""Writes a DAG for Airflow."""

from __future__ import annotations

import re

from harvestdetect.ops.schedule.job import ATTEMPTS, Job, calendar, sourced

__all__ = ["dag"]


def dag(job: Job) -> dict[str, str]:
    """A module with one DAG: file name -> content."""
    line = " ".join(map(_word, job.command))
    command = f"{sourced(job)}{line}; code=$?; if [ $code -eq 3 ]; then exit 0; fi; exit $code"
    when = f"timedelta(seconds={job.period})" if job.moments is None else repr(calendar(job, "airflow"))
    text = f'''\
"""harvestdetect, every {job.every}; times are in UTC. Put this file into the folder of DAGs of Airflow 2.9 or newer.

Exit code 3 (done, with findings) counts as done. All others fail the task, which is then retried: also 75 (another run
is using the state) and, because Airflow cannot tell them apart, 2 (wrong usage) and 4 (done, but check the input).
Output goes to the log of the task, not to XCom.{_about_secrets(job)}
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
        f"\n\n{job.secrets_file} on the worker has the secrets of the alert channels{names},\n"
        "in lines NAME='value' that a shell reads. Owner is the user of the worker, mode 0600. The secrets are\n"
        "neither in this file nor in what Airflow shows of a task."
    )


def _word(word: str) -> str:
    """A word, quoted for bash. Jinja, which Airflow applies to the command, finds nothing in it to replace."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    quoted = "'" + word.replace("'", "'\"'\"'") + "'"
    return re.sub(r"\{(?=[{%#])", "{''", quoted)
