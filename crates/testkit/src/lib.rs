//! Real servers for tests.
//!
//! A test takes what it needs and owns it: [`postgres`], [`mysql`], [`mongodb`] and [`redis`] give a database of its
//! own on the shared test servers, [`rabbitmq`] a vhost, [`search`] names of indices, [`kafka`] a topic, [`influxdb`] a
//! database, [`s3`] a bucket and [`mail`] a domain, each dropped at the end. So all tests run in parallel.
//! What must be killed is a [`PrivateServer`]; what must be cut off stands behind a [`Proxy`]; our own programs run as
//! a [`Program`]. Nothing sleeps for a fixed time: [`eventually`] waits for a condition.
//!
//! The shared servers are brought up by `./dev test` or `./dev test-servers up`.

mod address;
mod answered;
mod cleanup;
mod dotenv;
mod eventually;
mod http;
mod influxdb;
mod kafka;
mod mail;
mod mongodb;
mod mysql;
mod name;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod rabbit;
mod redis;
mod s3;
mod scratch;
mod search;
mod server;

pub use answered::{Answered, Ask};
pub use dotenv::{env_example, every_variable_is_documented};
pub use eventually::{eventually, eventually_within};
pub use influxdb::{TestInflux, influxdb, query_on};
pub use kafka::{TestKafka, kafka};
pub use mail::{Mail, TestMail, mail};
pub use mongodb::{TestMongo, mongodb};
pub use mysql::{TestMysql, mysql};
pub use port::free_port;
pub use postgres::{TestPostgres, postgres};
pub use program::Program;
pub use proxy::{Proxy, proxy};
pub use rabbit::{TestMessage, TestRabbit, rabbitmq};
pub use redis::{TestRedis, redis};
pub use s3::{TestS3, s3};
pub use search::{TestSearch, search};
pub use server::{
    PrivateServer, private_influxdb, private_kafka, private_mongodb, private_mysql, private_postgres, private_rabbitmq,
    private_rabbitmq_with, private_redis, private_search,
};
