"""Right answers to the exercises, as Dockerfiles, and the pieces that wrong ones are made of."""

from __future__ import annotations

NODE = "FROM node:20-alpine"
BUILDER = f"""{NODE} AS builder
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src/ ./src/
RUN npm run build
"""
TESTED = f"""{NODE} AS builder
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
FROM builder AS test
RUN npm test && touch /tests-passed
"""
PACKAGES = f"""{NODE} AS runtime
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
"""
DIST = "COPY --from=builder /app/dist ./dist\n"
START = 'CMD ["node", "dist/server.js"]\n'
RUNTIME = f"{BUILDER}{PACKAGES}{DIST}{START}"
SINGLE = f"""{NODE}
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src/ ./src/
RUN npm run build
{START}"""
TOOLS = f"{NODE} AS tools\nRUN echo made > /made.txt && echo tools > /tools-only.txt\n"
SECRETIVE = f"{NODE} AS maker\nRUN echo s > /secret.txt && echo made > /made.txt\n"
GO = """FROM golang:1.22-alpine AS builder
WORKDIR /app
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=linux go build {flags}-o /server .
"""
PATIENT = f"""{NODE} AS builder
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src/ ./src/
RUN npm run build
{PACKAGES}COPY limits.json ./
{DIST}{START}"""
PRUNED = "RUN npm ci && npm run build && npm prune --omit=dev && npm cache clean --force\n"
ON_SCRATCH = 'FROM scratch\nCOPY --from=builder /server /server\nENTRYPOINT ["/server"]\n'
CELL_01_A = f"""\
%%dockerfile exercise-01-a --new --tag learner/01-a
{NODE} AS tools
RUN echo "worth keeping" > /made.txt

{NODE} AS final
COPY --from=tools /made.txt /made.txt"""
"""A right answer to 01-a, as the learner's cell has it."""
