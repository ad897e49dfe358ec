# The image of Penstock. Without a target: the binary and nothing else, for a step of a GitHub workflow or a pod.
# --target tools: the same binary, a shell and the programs of Flagger's load tester, for a job of GitLab, whose runner starts
# every job through a shell, and for webhooks that run commands.
#
# penstock-finalize is the same binary by another name, for the post step of a workflow: see action.yml.
#
# The digests are those of the images' indexes, so they hold for every architecture.

FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY internal internal
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
# timetzdata puts the time zones into the binary. Paths and the state of the checkout stay out of it, so that whoever builds
# the same revision gets the same bytes.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags timetzdata \
    -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out/penstock ./cmd/penstock \
    && ln -s penstock /out/penstock-finalize

# What Flagger's load tester has and Alpine has not. The versions are checked against Go's public record of checksums.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS grpc
ARG TARGETOS
ARG TARGETARCH
RUN export CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    && go install -trimpath -ldflags "-s -w" github.com/bojand/ghz/cmd/ghz@v0.121.0 \
    && go install -trimpath -ldflags "-s -w" github.com/grpc-ecosystem/grpc-health-probe@v0.4.62 \
    && mkdir /out && mv "$(find /go/bin -name ghz)" /out/ghz \
    && mv "$(find /go/bin -name grpc-health-probe)" /out/grpc_health_probe

FROM docker.io/library/alpine:3.23@sha256:fd791d74b68913cbb027c6546007b3f0d3bc45125f797758156952bc2d6daf40 AS tools
RUN apk add --no-cache bash bats ca-certificates curl helm hey jq kubectl wrk
COPY --from=grpc /out/ /usr/local/bin/
COPY --from=build /out/ /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/penstock"]

# The last stage is what a build without a target makes, and what GitHub builds for the action. There is no USER: GitHub
# runs container actions as root, since the workspace and the files of the step belong to root.
FROM scratch AS penstock
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/penstock"]
