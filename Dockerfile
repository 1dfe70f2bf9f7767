# The images of Tandem, a target each: customer-api, table-endpoint, replicator, operator,
# traffic-manager and servicebus-emulator; azurite is for compose.yaml and the tests only. Written for the classic builder
# as well as for BuildKit. `node scripts/docker/build-images.mjs` builds them all.
#
# What runs is the workspace as it lies here: Node strips the types when it loads a file, which it
# refuses to do below node_modules, so the packages keep their places.
ARG BASE_IMAGE=node:24-bookworm-slim
# Anything that has Node 24 and glibc will do; no shell is needed.
ARG RUNTIME_IMAGE=${BASE_IMAGE}

# Only what decides which packages are installed, so that a change to a source file installs nothing.
FROM ${BASE_IMAGE} AS manifests
WORKDIR /app
COPY . .
RUN find . -type f -not -name package.json -not -name pnpm-lock.yaml \
      -not -name pnpm-workspace.yaml -not -path ./scripts/docker/lay-out.mjs -delete \
 && find . -type d -empty -delete

# One layer, so that what all the images share is fetched once and what none needs is in none.
FROM ${BASE_IMAGE} AS modules
WORKDIR /app
ENV CI=true
COPY --from=manifests /app .
RUN npx -y --allow-scripts=pnpm --package="$(node -p 'require("./package.json").packageManager')" \
      node scripts/docker/lay-out.mjs modules \
 && rm -rf /root/.npm /root/.local /root/.cache

FROM ${BASE_IMAGE} AS sources
WORKDIR /app
COPY apps apps
COPY packages packages
COPY scripts/docker scripts/docker
RUN node scripts/docker/lay-out.mjs sources \
 && cp -R scripts/docker/azurite-tls /sources/azurite/app/tls \
 && find /sources/azurite -exec touch -d @0 {} +

FROM ${RUNTIME_IMAGE} AS runtime
# The last is where distroless images keep Node.
ENV PATH=/usr/local/bin:/usr/bin:/bin:/nodejs/bin NODE_ENV=production HOST=0.0.0.0 PORT=8080
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.vendor="Tandem" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# A number, since an image without a shell may lack /etc/passwd; the one that distroless images use.
USER 65532:65532
STOPSIGNAL SIGTERM

FROM runtime AS customer-api
LABEL org.opencontainers.image.title="tandem-customer-api" \
      org.opencontainers.image.description="The REST API of one region."
COPY --from=modules /modules/customer-api /
COPY --from=sources /sources/customer-api /
WORKDIR /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "probe.mjs", "/health/live"]
ENTRYPOINT ["node", "apps/customer-api/src/main.ts"]

FROM runtime AS table-endpoint
LABEL org.opencontainers.image.title="tandem-table-endpoint" \
      org.opencontainers.image.description="The Table Storage endpoint of one region."
COPY --from=modules /modules/table-endpoint /
COPY --from=sources /sources/table-endpoint /
WORKDIR /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "probe.mjs", "/health/live"]
ENTRYPOINT ["node", "apps/table-endpoint/src/main.ts"]

FROM runtime AS replicator
LABEL org.opencontainers.image.title="tandem-replicator" \
      org.opencontainers.image.description="Sweeps, receives and applies the changes of one region."
COPY --from=modules /modules/replicator /
COPY --from=sources /sources/replicator /
WORKDIR /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "probe.mjs", "/health/live"]
ENTRYPOINT ["node", "apps/replicator/src/main.ts"]

# The command tandem, whose console is one of its commands: the container does what its arguments say.
FROM runtime AS operator
LABEL org.opencontainers.image.title="tandem-operator" \
      org.opencontainers.image.description="The command tandem and its console, for an operator inside the network."
# The audit of the console and the reports of what took long.
ENV XDG_STATE_HOME=/data
COPY --from=modules /modules/operator /
COPY --from=sources /sources/operator /
COPY --from=sources --chown=65532:65532 /volumes/operator /
WORKDIR /app
VOLUME /data
EXPOSE 8080
# A command has no health; of the console the orchestrator asks /health/live.
HEALTHCHECK NONE
ENTRYPOINT ["node", "apps/cli/src/tandem.mjs"]
CMD ["--help"]

FROM runtime AS traffic-manager
LABEL org.opencontainers.image.title="tandem-traffic-manager" \
      org.opencontainers.image.description="A stand-in for Azure Traffic Manager, for tests."
COPY --from=modules /modules/traffic-manager /
COPY --from=sources /sources/traffic-manager /
WORKDIR /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "probe.mjs", "/_traffic-manager/status"]
ENTRYPOINT ["node", "apps/traffic-manager/src/main.ts"]

FROM runtime AS servicebus-emulator
LABEL org.opencontainers.image.title="tandem-servicebus-emulator" \
      org.opencontainers.image.description="An emulator of Azure Service Bus queues, for tests."
# Its administration, which the probe asks.
ENV PORT=5300
COPY --from=modules /modules/servicebus-emulator /
COPY --from=sources /sources/servicebus-emulator /
COPY --from=sources --chown=65532:65532 /volumes/servicebus-emulator /
WORKDIR /app
VOLUME /data
EXPOSE 5672 5300
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "probe.mjs", "/health"]
ENTRYPOINT ["node", "packages/servicebus-emulator/src/main.ts", "--location", "/data", \
  "--host", "0.0.0.0"]

# Azurite's table service, at the version of the lockfile, for machines that cannot pull its image.
# It speaks https, since a storage account on another machine is never used without; its certificate
# and key are in this repository and protect nothing.
FROM runtime AS azurite
LABEL org.opencontainers.image.title="tandem-azurite" \
      org.opencontainers.image.description="The table service of Azurite, for tests."
COPY --from=modules /modules/azurite /
COPY --from=sources /sources/azurite /
COPY --from=sources --chown=65532:65532 /volumes/azurite /
WORKDIR /app
VOLUME /data
EXPOSE 10002
# The only signal on which Azurite saves what it has in memory.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "probe.mjs", "--port", "10002"]
ENTRYPOINT ["node", "packages/local-cluster/node_modules/azurite/dist/src/table/main.js", \
  "--location", "/data", "--tableHost", "0.0.0.0", "--silent", "--skipApiVersionCheck", \
  "--disableTelemetry", "--cert", "/app/tls/azurite.crt", "--key", "/app/tls/azurite.key"]
