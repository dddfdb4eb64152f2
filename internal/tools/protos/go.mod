module github.com/haechi-fraud/haechi/internal/tools/protos

go 1.26.8

require (
	github.com/bufbuild/protovalidate v1.2.2
	github.com/grpc-ecosystem/grpc-gateway v1.16.0
)
