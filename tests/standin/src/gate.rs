// SPDX-License-Identifier: Apache-2.0
//! Takes calls from the network, lets faults befall them, and has the engine do them. One door for
//! all calls, because faults and journal treat them alike.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http_body_util::Full;
use milvusdm_proto::milvus1::milvus_service_server::SERVICE_NAME;
use prost::bytes::Bytes;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use crate::calls::Call;
use crate::codec::RawCodec;
use crate::engine::{Engine, Trouble};
use crate::faults::{Effect, Faults};
use crate::insertion::Insertion;
use crate::intake;
use crate::line::Line;

/// What all calls share.
pub(crate) struct Shared {
    engine: Mutex<Engine>,
    faults: Mutex<Faults>,
    /// Whether vectors are dropped once they are counted.
    pub discards: bool,
    /// Calls that servers before 1.1 lack are unknown.
    pub is_before_1_1: bool,
    /// Ends the server as a kill would.
    pub die: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    pub(crate) fn new(
        engine: Engine,
        faults: Faults,
        (discards, is_before_1_1): (bool, bool),
        die: Box<dyn Fn() + Send + Sync>,
    ) -> Shared {
        Shared {
            engine: Mutex::new(engine),
            faults: Mutex::new(faults),
            discards,
            is_before_1_1,
            die,
        }
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an insert while it comes in, unless the journal needs its bytes. What is left of the
    /// request is an empty message.
    async fn take_in(
        &self,
        call: Call,
        request: http::Request<Body>,
    ) -> Result<(http::Request<Body>, Option<Insertion>), Status> {
        if call != Call::Insert || self.engine().has_journal() {
            return Ok((request, None));
        }
        let (parts, body) = request.into_parts();
        let insertion = intake::receive(body, self.keeps()).await?;
        let empty = Full::new(Bytes::from_static(&[0; 5]));
        let request = http::Request::from_parts(parts, Body::new(empty));
        Ok((request, Some(insertion)))
    }

    async fn answer(
        &self,
        call: Call,
        (request, insertion): (Bytes, Option<Insertion>),
        line: Line,
    ) -> Result<Bytes, Status> {
        if self.is_before_1_1 && call == Call::ReleaseCollection {
            return Err(Status::unimplemented(""));
        }
        let insertion = match insertion {
            None if call == Call::Insert => {
                let parsed = Insertion::parse(&request, self.keeps());
                Some(parsed.map_err(intake::malformed)?)
            }
            read => read,
        };
        let effect = self.faults().strike(call, insertion.as_ref());
        if let Some(Effect::Refuse(refusal)) = effect {
            let sent = insertion.map(|insertion| insertion.ids);
            return Ok(refusal.reply(call, sent.unwrap_or_default()));
        }
        self.suffer(effect.as_ref(), &line).await?;
        let outcome = self.engine().perform(call, request, insertion);
        match effect {
            Some(Effect::DropAfter) => {
                line.cut();
                pending().await
            }
            Some(Effect::DieAfter) => {
                (self.die)();
                pending().await
            }
            _ => outcome.map(|outcome| outcome.reply).map_err(status),
        }
    }

    /// Lets happen what is to happen before a call is done. Returns only if it is to be done.
    async fn suffer(&self, effect: Option<&Effect>, line: &Line) -> Result<(), Status> {
        match effect {
            None | Some(Effect::Refuse(_) | Effect::DropAfter | Effect::DieAfter) => {}
            Some(Effect::Delay(time)) => tokio::time::sleep(*time).await,
            Some(Effect::Stall) => pending().await,
            Some(Effect::DropBefore) => {
                line.cut();
                pending().await
            }
            Some(Effect::DieBefore) => {
                (self.die)();
                pending().await
            }
            Some(Effect::Unavailable(reason)) => return Err(Status::unavailable(reason)),
            Some(Effect::Unimplemented) => {
                let reason = format!("unknown service {SERVICE_NAME}");
                return Err(Status::unimplemented(reason));
            }
        }
        Ok(())
    }

    fn keeps(&self) -> bool {
        !self.discards || self.faults().look_at_elements()
    }
}

fn status(trouble: Trouble) -> Status {
    match trouble {
        Trouble::Malformed(what) => intake::malformed(&what),
        Trouble::Journal(error) => Status::internal(format!("writing the journal: {error}")),
    }
}

/// The service.
#[derive(Clone)]
pub(crate) struct Gate(pub Arc<Shared>);

impl NamedService for Gate {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<http::Request<Body>> for Gate {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Some(call) = Call::of_path(request.uri().path()) else {
            return Box::pin(async { Ok(Status::unimplemented("").into_http()) });
        };
        let shared = self.0.clone();
        Box::pin(async move {
            let (request, insertion) = match shared.take_in(call, request).await {
                Ok(taken) => taken,
                Err(status) => return Ok(status.into_http()),
            };
            let handler = Handler {
                shared,
                call,
                insertion,
            };
            let mut grpc = Grpc::new(RawCodec)
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX);
            Ok(grpc.unary(handler, request).await)
        })
    }
}

/// One call.
struct Handler {
    shared: Arc<Shared>,
    call: Call,
    /// The request of an insert that was read while it came in.
    insertion: Option<Insertion>,
}

impl UnaryService<Bytes> for Handler {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (shared, call) = (self.shared.clone(), self.call);
        let insertion = self.insertion.take();
        let line = request.extensions().get::<Line>().cloned();
        Box::pin(async move {
            let request = (request.into_inner(), insertion);
            let line = line.unwrap_or_default();
            // What came in is done, whether or not its client still waits: as the real server does.
            let answer = async move { shared.answer(call, request, line).await };
            let answer = tokio::spawn(answer).await;
            let failed = |e| Status::internal(format!("a call failed: {e}"));
            answer.map_err(failed)?.map(Response::new)
        })
    }
}
