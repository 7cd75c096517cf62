# The four images, one target each: trainer, api, promote, suggestion.
# scripts/build-images [TARGET...] builds them; by hand: docker build --target api .

# By its digest, for which dependabot proposes a newer one.
FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7 AS base

# What installs packages: pip, the wheel's build tools, and the environment that the images get.
FROM base AS tools
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 \
    PIP_QUIET=1 \
    INSTALL="pip --python /opt/tunegate/bin/python install"
COPY requirements/build.txt requirements/
RUN python3 -m venv --without-pip /opt/tunegate \
    && pip install --require-hashes -r requirements/build.txt

# The wheel, with the forest's C kernel; no image gets the compiler.
FROM tools AS wheel
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends gcc libc6-dev >/dev/null
COPY . .
RUN TUNEGATE_REQUIRE_KERNEL=1 pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# One environment a target: its lock first, which changes seldom, then the wheel. The libraries' own
# tests, a third of their files, are left out.
FROM tools AS trainer-packages
COPY requirements/trainer.txt requirements/
RUN $INSTALL --require-hashes -r requirements/trainer.txt \
    && find /opt/tunegate -type d -name tests -prune -exec rm -rf {} +
COPY --from=wheel /wheels /wheels
RUN $INSTALL --no-deps --no-index /wheels/*.whl

FROM tools AS api-packages
# serving-all adds gRPC and tracing.
ARG LOCK=serving
COPY requirements/${LOCK}.txt requirements/
RUN $INSTALL --require-hashes -r requirements/${LOCK}.txt \
    && find /opt/tunegate -type d -name tests -prune -exec rm -rf {} +
COPY --from=wheel /wheels /wheels
RUN $INSTALL --no-deps --no-index /wheels/*.whl

FROM tools AS promote-packages
COPY requirements/promote.txt requirements/
RUN $INSTALL --require-hashes -r requirements/promote.txt \
    && find /opt/tunegate -type d -name tests -prune -exec rm -rf {} +
COPY --from=wheel /wheels /wheels
RUN $INSTALL --no-deps --no-index /wheels/*.whl

FROM tools AS suggestion-packages
COPY requirements/suggestion.txt requirements/
RUN $INSTALL --require-hashes -r requirements/suggestion.txt \
    && find /opt/tunegate -type d -name tests -prune -exec rm -rf {} +
COPY --from=wheel /wheels /wheels
RUN $INSTALL --no-deps --no-index /wheels/*.whl

# What all images share: a Python, a user with a name, and nothing that installs packages.
FROM base AS runtime
RUN rm -rf /usr/lib/python3/dist-packages/pip* /usr/lib/python3/dist-packages/setuptools* \
        /usr/local/lib/python3*/site-packages/pip* \
        /usr/local/lib/python3*/site-packages/setuptools* \
        /usr/lib/python3*/ensurepip /usr/local/lib/python3*/ensurepip \
        /usr/share/python-wheels /usr/bin/pip* /usr/local/bin/pip* \
    && echo "tunegate:x:10001:10001:tunegate:/tmp:/usr/sbin/nologin" >> /etc/passwd \
    && echo "tunegate:x:10001:" >> /etc/group
ARG VERSION=0.0.0
ARG GIT_COMMIT=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${GIT_COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/tunegate/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GIT_COMMIT=${GIT_COMMIT}
USER 10001:10001
WORKDIR /tmp
HEALTHCHECK NONE

FROM runtime AS trainer
LABEL org.opencontainers.image.title="tunegate-trainer" \
      org.opencontainers.image.description="One trial: fit a forest, score it, write a model package."
COPY --from=trainer-packages /opt/tunegate /opt/tunegate
ENV TUNEGATE_IMAGE=trainer
# A trial's Experiment names its command: Katib wraps it, and cannot see an image's own.
CMD ["python", "-m", "trainer", "--help"]

FROM runtime AS api
LABEL org.opencontainers.image.title="tunegate-api" \
      org.opencontainers.image.description="Serve the model in production, and follow every promotion."
COPY --from=api-packages /opt/tunegate /opt/tunegate
ENV TUNEGATE_IMAGE=api
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["tunegate"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--store", "/models"]

FROM runtime AS promote
LABEL org.opencontainers.image.title="tunegate-promote" \
      org.opencontainers.image.description="Judge a search's best trials, bring one into production, roll back, repair."
COPY --from=promote-packages /opt/tunegate /opt/tunegate
ENV TUNEGATE_IMAGE=promote
ENTRYPOINT ["tunegate"]
CMD ["--help"]

FROM runtime AS suggestion
LABEL org.opencontainers.image.title="tunegate-suggestion" \
      org.opencontainers.image.description="Katib's Suggestion and EarlyStopping services on our sampler and rule."
COPY --from=suggestion-packages /opt/tunegate /opt/tunegate
ENV TUNEGATE_IMAGE=suggestion \
    OMP_NUM_THREADS=1
# The cluster's own probes ask over gRPC.
EXPOSE 6788 6789
# Katib's configuration names the command of a Suggestion service, but not of an EarlyStopping one.
CMD ["python", "-m", "katib.earlystopping"]
