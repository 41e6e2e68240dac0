# The application in an image: what the lock names, hash by hash, in one stage; what runs in another, as nobody.
# The lock also has what tests and embedded parts need: only what the application depends on is installed.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements.lock .
RUN pip wheel --require-hashes --no-deps --wheel-dir /wheels --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY auditstream auditstream
COPY schemas schemas
COPY sinks sinks
COPY streams streams
RUN python -m venv /opt/auditstream \
    && /opt/auditstream/bin/pip install --no-index --find-links /wheels .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /data --create-home auditstream \
    && install --directory --owner auditstream --group auditstream /evidence /trust
COPY --from=build /opt/auditstream /opt/auditstream
ENV PATH=/opt/auditstream/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 AUDITSTREAM_DATA_DIR=/data
USER 10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["auditstream"]
CMD ["--help"]
