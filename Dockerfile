# One image for every program: the API (default), the workers and the migration. It runs the TypeScript files as they
# are, without a build; only the workflows are bundled beforehand, so that no bundler runs in production.

# Pin a digest here in a deployment: --build-arg NODE_IMAGE=node:24-slim@sha256:…
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund
COPY . .
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM ${NODE_IMAGE}
# TLS to Temporal and PostgreSQL is checked against the system's certificates.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
# Files that people send, where no bucket is named: a volume is mounted here.
RUN mkdir -p /var/lib/perennial/files && chown node:node /var/lib/perennial/files
WORKDIR /app
ENV NODE_ENV=production \
    WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js \
    API_HOST=0.0.0.0 \
    WORKER_HOST=0.0.0.0
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules node_modules
COPY config config
COPY domain domain
COPY db db
COPY temporal temporal
COPY integrations integrations
COPY activities activities
COPY workflows workflows
COPY workers workers
COPY api api
COPY --from=build /app/dist dist
USER node
EXPOSE 3000 3001 3002 3003
# No shell and no npm in between: the process gets the signals itself and ends its work before it stops.
CMD ["node", "api/main.ts"]
