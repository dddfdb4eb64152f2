// Package haechiv1 is the wire of Haechi, generated from the protos beside it: messages, gRPC clients and servers, and
// the REST gateway. It decides nothing; rules of validation stand in the protos and are applied by the server.
package haechiv1
