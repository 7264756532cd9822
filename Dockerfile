# The image is the binary, certificates and nothing else: no shell, no libraries, nobody but 65532.
#   docker build -t kyrochat --build-arg VERSION=1.2.3 .     builds it whole
#   make image                                               packs a binary that was built outside, with buildah
ARG FROM=build

FROM golang:1.26-bookworm AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-X main.release=$VERSION" -o /kyrochat . \
 && deploy/container/tree.sh /kyrochat /etc/ssl/certs/ca-certificates.crt /tree

FROM scratch AS outside
COPY tree/ /tree/

FROM $FROM AS tree

FROM scratch
ARG VERSION=
LABEL org.opencontainers.image.title="KyroChat" \
      org.opencontainers.image.description="Chatbots that answer from your documents: a GraphQL server in one binary" \
      org.opencontainers.image.version="$VERSION"
COPY --from=tree --chown=0:0 /tree/root/ /
COPY --from=tree --chown=65532:65532 /tree/data/ /data/
ENV KYRO_ENV=production \
    KYRO_ADDR=0.0.0.0:8080 \
    KYRO_ADMIN_ADDR=0.0.0.0:9090 \
    KYRO_DATA_DIR=/data \
    XDG_CACHE_HOME=/data/cache
USER 65532:65532
VOLUME /data
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/kyrochat", "health"]
ENTRYPOINT ["/kyrochat"]
