# The server alone. It needs a MongoDB to be named by INVENTORY_JOB_MONGO_URI: the embedded one is
# MongoDB Community (SSPL) and stays out of the image. It listens on every address, so it wants
# callers authenticated (INVENTORY_JOB_AUTH_MODE), or to be told that the network keeps strangers
# out (INVENTORY_JOB_ALLOW_REMOTE_WITHOUT_AUTH=true).
#
#   scripts/image                      # or: docker build --tag inventory-job .
#   docker run --publish 50051:50051 --volume "$PWD/keys:/keys:ro" \
#     --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     --env INVENTORY_JOB_MONGO_URI=mongodb://… \
#     --env INVENTORY_JOB_AUTH_MODE=jwt --env INVENTORY_JOB_AUTH_KEY_FILE=/keys/keys.json \
#     inventory-job
#
# With TLS the health check has to know: --health-cmd 'inventory-job health --tls --ca-file …'.
#
# Any base with Python 3.11 or newer as `python3`, its venv module, and glibc will do. For builds
# that have to be repeatable name one by digest: --build-arg PYTHON_IMAGE=python@sha256:…

ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/build \
 && python3 -m venv --without-pip /opt/inventory-job

WORKDIR /build
COPY deploy/build.lock deploy/requirements.lock ./
# The secrets are for networks with a package index of their own; neither stays in the image.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.pem,target=/run/secrets/ca.pem \
    /opt/build/bin/pip install --no-compile --only-binary :all: \
      --require-hashes --requirement build.lock \
 && /opt/build/bin/pip --python /opt/inventory-job/bin/python3 install --no-compile --no-deps \
      --only-binary :all: --require-hashes --requirement requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# Compiled here, as the root file system may be read-only; by hashes that are not checked, so that
# the same sources make the same files.
RUN /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir dist . \
 && /opt/build/bin/pip --python /opt/inventory-job/bin/python3 install --no-compile --no-deps \
      --no-index dist/*.whl \
 && /opt/inventory-job/bin/python3 -m compileall -q --invalidation-mode unchecked-hash \
      /opt/inventory-job/lib


FROM ${PYTHON_IMAGE}

ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="inventory-job" \
      org.opencontainers.image.description="The gRPC service spaceone.api.inventory.v1.Job over MongoDB" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The same path in both stages: a virtual environment can't be moved.
COPY --from=build /opt/inventory-job /opt/inventory-job
ENV PATH="/opt/inventory-job/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A number, so that Kubernetes can tell it isn't root.
USER 10001:10001

EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["inventory-job", "health"]
ENTRYPOINT ["inventory-job"]
CMD ["serve", "--host", "0.0.0.0"]
