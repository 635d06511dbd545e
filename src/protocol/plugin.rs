//! The services that go-plugin expects beside a plugin's own: controller, stdio and broker.

use std::pin::Pin;

use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::wire::plugin::grpc_broker_server::GrpcBroker;
use super::wire::plugin::grpc_controller_server::GrpcController;
use super::wire::plugin::grpc_stdio_server::GrpcStdio;
use super::wire::plugin::{ConnInfo, Empty, StdioData};

type StreamOf<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Ends the process when the host asks for it.
pub struct Controller {
    /// Cancelled at that moment.
    pub shutdown: CancellationToken,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        tracing::debug!("the host asks for the end");
        self.shutdown.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// Would carry what the process writes to its standard output and error. It writes nothing there
/// but logs, which the host reads from the pipe, so these streams stay silent to the end.
pub struct Stdio {
    /// Ends the streams, which would keep the server from stopping otherwise.
    pub shutdown: CancellationToken,
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = StreamOf<StdioData>;

    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(silent_until(self.shutdown.clone())))
    }
}

/// Would open further connections, which Terraform's protocol has no use for.
pub struct Broker {
    /// Ends the streams.
    pub shutdown: CancellationToken,
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = StreamOf<ConnInfo>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        let shutdown = self.shutdown.clone();
        let mut offers = request.into_inner();
        tokio::spawn(async move {
            // Read and passed over, so that the host is not kept waiting.
            while let Some(Ok(Some(offer))) = shutdown.run_until_cancelled(offers.message()).await {
                tracing::debug!(service_id = offer.service_id, "an offer of a connection");
            }
        });
        Ok(Response::new(silent_until(self.shutdown.clone())))
    }
}

fn silent_until<T: Send + 'static>(shutdown: CancellationToken) -> StreamOf<T> {
    let end = shutdown.cancelled_owned();
    Box::pin(futures_util::stream::StreamExt::filter_map(
        futures_util::stream::once(end),
        |()| std::future::ready(None),
    ))
}
