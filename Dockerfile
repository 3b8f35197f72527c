# An image of harvestdetect: docker build -t harvestdetect:0.2.0 --build-arg TORCH_INDEX=ADDRESS .
#
# It needs no network when it runs, and works on a read-only file system: it writes into /state, /out, /cache and /tmp
# alone, and each of them is a volume. See docs/schedule.md.

# A tag of Python and Debian gets their security updates. For a build that gives the same again name a digest:
# --build-arg BASE=python:3.12-slim-bookworm@sha256:...
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build

# The address of an index with PyTorch's CPU builds, which PyTorch's installation page gives. Empty: the index that pip
# is set up for, where a Linux build brings several gigabytes of GPU libraries.
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt ./
RUN python3 -m venv /opt/harvestdetect/venv \
    && /opt/harvestdetect/venv/bin/pip install --constraint constraints.txt \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
COPY pyproject.toml README.md LICENSE ./
COPY harvestdetect/ harvestdetect/
# With the model of the wording view, which every first run in a new cache would have to make: some 20 seconds.
RUN /opt/harvestdetect/venv/bin/pip install --constraint constraints.txt . \
    && /opt/harvestdetect/venv/bin/python -c "from pathlib import Path; \
from harvestdetect.embed.encoders import load_encoder; from harvestdetect.settings import Settings; \
load_encoder('wording', settings=Settings(cache=Path('/opt/harvestdetect')))" \
    && chmod -R a+rX /opt/harvestdetect

FROM ${BASE}

LABEL org.opencontainers.image.title="harvestdetect" \
      org.opencontainers.image.description="Finds prompt harvesting campaigns across accounts in dumps of prompts" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --gid 10001 harvestdetect \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin harvestdetect \
    && install --directory --owner 10001 --group 10001 --mode 0700 /state /out /cache
COPY --from=build /opt/harvestdetect /opt/harvestdetect

ENV PATH=/opt/harvestdetect/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    TMPDIR=/tmp \
    XDG_CACHE_HOME=/cache \
    HARVESTDETECT_MODELS=/opt/harvestdetect/models \
    HARVESTDETECT_HEALTH_METRICS=/out/harvestdetect.prom \
    HARVESTDETECT_HEALTH_MAX_AGE=36h

USER 10001:10001
WORKDIR /out
VOLUME ["/state", "/out", "/cache", "/tmp"]

# Unhealthy where no run has done its work for 36 hours, by the file of `--metrics /out/harvestdetect.prom`.
HEALTHCHECK --interval=15m --timeout=1m --start-period=6h --retries=2 CMD ["harvestdetect", "health"]
ENTRYPOINT ["harvestdetect"]
CMD ["--help"]
