//! A body that is decompressed as it is read, within a limit for what comes out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Bytes, HttpBody};
use bytes::BytesMut;
use hyper::body::Frame;
use tokio::io::AsyncBufRead;
use tokio_util::io::{StreamReader, poll_read_buf};

use super::{Broken, Encoding, Limited};

/// How much is decompressed at a time.
const CHUNK: usize = 16 * 1024;

/// 8 MiB, which RFC 9659 has every decoder of HTTP take, and none more.
const ZSTD_WINDOW: u32 = 23;

type Sent = StreamReader<Limited, Bytes>;

enum Decoder {
    Gzip(GzipDecoder<Sent>),
    Deflate(ZlibDecoder<Sent>),
    Brotli(Box<BrotliDecoder<Sent>>),
    Zstd(ZstdDecoder<Sent>),
}

pub(super) struct Decoded {
    decoder: Decoder,
    left: usize,
    refused: bool,
}

impl Decoded {
    pub(super) fn new(body: Limited, encoding: Encoding, limit: usize) -> Self {
        let sent = StreamReader::new(body);
        let decoder = match encoding {
            Encoding::Gzip => {
                let mut decoder = GzipDecoder::new(sent);
                decoder.multiple_members(true);
                Decoder::Gzip(decoder)
            }
            Encoding::Deflate => Decoder::Deflate(ZlibDecoder::new(sent)),
            Encoding::Brotli => Decoder::Brotli(Box::new(BrotliDecoder::new(sent))),
            Encoding::Zstd => {
                let mut decoder = ZstdDecoder::with_params(sent, &[DParameter::window_log_max(ZSTD_WINDOW)]);
                decoder.multiple_members(true);
                Decoder::Zstd(decoder)
            }
        };
        Self { decoder, left: limit, refused: false }
    }

    /// The next chunk, `None` at the end of what was sent.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = match &mut self.decoder {
            Decoder::Gzip(decoder) => poll_read_buf(Pin::new(decoder), cx, &mut chunk),
            Decoder::Deflate(decoder) => poll_read_buf(Pin::new(decoder), cx, &mut chunk),
            Decoder::Brotli(decoder) => poll_read_buf(Pin::new(decoder), cx, &mut chunk),
            Decoder::Zstd(decoder) => poll_read_buf(Pin::new(decoder), cx, &mut chunk),
        };
        if ready!(read)? > 0 {
            return Poll::Ready(Ok(Some(chunk.freeze())));
        }
        // What follows the compressed part would be taken by nobody.
        let rest = ready!(Pin::new(self.sent()).poll_fill_buf(cx))?;
        if rest.is_empty() { Poll::Ready(Ok(None)) } else { Poll::Ready(Err(io::Error::other(Broken::Corrupt))) }
    }

    fn sent(&mut self) -> &mut Sent {
        match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Deflate(decoder) => decoder.get_mut(),
            Decoder::Brotli(decoder) => decoder.get_mut(),
            Decoder::Zstd(decoder) => decoder.get_mut(),
        }
    }

    /// Decompresses no more, and throws away what is still sent.
    fn refuse(&mut self, why: Broken) {
        self.refused = true;
        self.sent().get_mut().refuse(why);
    }
}

impl HttpBody for Decoded {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.refused {
            match ready!(self.poll_chunk(cx)) {
                Ok(None) => return Poll::Ready(None),
                Ok(Some(chunk)) if chunk.len() <= self.left => {
                    self.left -= chunk.len();
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                Ok(Some(_)) => self.refuse(Broken::TooLarge),
                Err(error) => match Broken::find(&error) {
                    Some(Broken::TooLarge | Broken::TooSlow | Broken::UnknownEncoding) => {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    Some(Broken::Corrupt) | None => self.refuse(Broken::Corrupt),
                },
            }
        }
        Pin::new(self.sent().get_mut()).poll_frame(cx)
    }
}
