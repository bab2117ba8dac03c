# The server alone. It needs a MongoDB to be named by INVENTORY_JOB_MONGO_URI: the embedded one is
# MongoDB Community (SSPL) and stays out of the image. It listens on every address, so it wants
# callers authenticated (INVENTORY_JOB_AUTH_MODE), or to be told that the network keeps strangers
# out (INVENTORY_JOB_ALLOW_REMOTE_WITHOUT_AUTH=true).
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" \
#     --tag inventory-job .
#   docker run --publish 50051:50051 --volume "$PWD/keys:/keys:ro" \
#     --env INVENTORY_JOB_MONGO_URI=mongodb://… \
#     --env INVENTORY_JOB_AUTH_MODE=jwt --env INVENTORY_JOB_AUTH_KEY_FILE=/keys/keys.json \
#     inventory-job
#
# With TLS the health check has to know: --health-cmd 'inventory-job health --tls --ca-file …'.

FROM python:3.11-slim AS build

WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
 && python -m venv /opt/inventory-job \
 && /opt/inventory-job/bin/pip install --no-cache-dir dist/*.whl


FROM python:3.11-slim

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
