//! Products on a real MongoDB and RabbitMQ, asked over HTTP and gRPC.

mod contending;
mod crashing;
mod cutting;
mod events;
mod following;
mod grpc;
mod images;
mod images_breaking;
mod openapi;
mod outages;
mod pictures;
mod products;
mod reserving;
mod roles;
mod searching;
mod selling;
mod settings;
mod shelves;
mod stub;
mod support;
mod tokens;
