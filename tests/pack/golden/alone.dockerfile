# Written by proa: the same program with the same files as `proa ship` would pack.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags=-w -o /rootfs/app/shop ./cmd/shop && chmod 0555 /rootfs/app/shop

FROM scratch
COPY --from=build /rootfs/ /
EXPOSE 8080/tcp
USER 65532:65532
ENTRYPOINT ["/app/shop"]
