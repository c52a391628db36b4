"""A BingX USDT-M swap exchange on loopback: REST, gzip WebSocket, a matching engine, faults on order."""
