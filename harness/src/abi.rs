//! The words and numbers of the Proxy-Wasm ABI, named as the specification names them.

pub(crate) mod pairs;

pub use proxy_wasm_abi::AbiVersion;

/// An enumeration whose numbers cross the ABI.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl $name {
            /// Every one, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The one with this number, if there is one.
            #[must_use]
            pub fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// Its number in the ABI.
            #[must_use]
            pub fn number(self) -> u32 { self as u32 }
        }
    };
}

numbered! {
    /// What a hostcall returns (specification 0.2.1, `proxy_status_t`).
    Status {
        /// It was done.
        Ok = 0,
        /// There is no such thing.
        NotFound = 1,
        /// An argument is not one that is allowed here and now.
        BadArgument = 2,
        /// A value cannot be written as bytes.
        SerializationFailure = 3,
        /// Bytes cannot be read as a value.
        ParseFailure = 4,
        /// An expression is not one (SDKs only).
        BadExpression = 5,
        /// A pointer leads out of the guest's memory.
        InvalidMemoryAccess = 6,
        /// The queue holds nothing.
        Empty = 7,
        /// Another wrote the value since it was read.
        CasMismatch = 8,
        /// The result has another type than asked for (SDKs only).
        ResultMismatch = 9,
        /// The host failed.
        InternalFailure = 10,
        /// The connection broke (SDKs, and the status of a callout).
        BrokenConnection = 11,
        /// The host does not do this.
        Unimplemented = 12,
    }
}

numbered! {
    /// Header maps (`proxy_map_type_t`).
    MapType {
        /// Of the request.
        HttpRequestHeaders = 0,
        /// Of the request.
        HttpRequestTrailers = 1,
        /// Of the response.
        HttpResponseHeaders = 2,
        /// Of the response.
        HttpResponseTrailers = 3,
        /// What a gRPC callout received first.
        GrpcCallInitialMetadata = 4,
        /// What a gRPC callout received last.
        GrpcCallTrailingMetadata = 5,
        /// Of an HTTP callout's response.
        HttpCallResponseHeaders = 6,
        /// Of an HTTP callout's response.
        HttpCallResponseTrailers = 7,
    }
}

numbered! {
    /// Buffers (`proxy_buffer_type_t`).
    BufferType {
        /// Of the request.
        HttpRequestBody = 0,
        /// Of the response.
        HttpResponseBody = 1,
        /// What the client sent on a TCP connection.
        DownstreamData = 2,
        /// What the upstream sent on a TCP connection.
        UpstreamData = 3,
        /// Of an HTTP callout's response.
        HttpCallResponseBody = 4,
        /// A message that a gRPC callout received.
        GrpcCallMessage = 5,
        /// The VM's configuration.
        VmConfiguration = 6,
        /// The plugin's configuration.
        PluginConfiguration = 7,
        /// What a foreign function was called with.
        ForeignFunctionArguments = 8,
    }
}

numbered! {
    /// The two directions of HTTP and of TCP (`proxy_stream_type_t`).
    StreamType {
        /// From the client to the upstream.
        HttpRequest = 0,
        /// From the upstream to the client.
        HttpResponse = 1,
        /// From the client.
        Downstream = 2,
        /// From the upstream.
        Upstream = 3,
    }
}

numbered! {
    /// Kinds of metric (`proxy_metric_type_t`).
    MetricType {
        /// Only grows.
        Counter = 0,
        /// Goes up and down.
        Gauge = 1,
        /// Keeps a distribution.
        Histogram = 2,
    }
}

numbered! {
    /// Levels of logging (`proxy_log_level_t`).
    Level {
        /// Each hostcall.
        Trace = 0,
        /// Each request.
        Debug = 1,
        /// What an operator likes to know.
        Info = 2,
        /// Degraded, still serving.
        Warn = 3,
        /// An operator must act.
        Error = 4,
        /// About to end.
        Critical = 5,
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

numbered! {
    /// Who closed a TCP connection (`proxy_peer_type_t`).
    PeerType {
        /// Not known.
        Unknown = 0,
        /// The proxy.
        Local = 1,
        /// The other end.
        Remote = 2,
    }
}

macro_rules! callbacks {
    ($($(#[$doc:meta])* $variant:ident $export:literal ($($parameter:ident),*) $result:literal,)*) => {
        /// What the host calls in a module. All parameters and results are i32.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Callback { $($(#[$doc])* $variant,)* }

        impl Callback {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name it is exported under.
            #[must_use]
            pub fn export(self) -> &'static str {
                match self { $(Self::$variant => $export,)* }
            }

            /// What its parameters are called.
            #[must_use]
            pub fn parameters(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$(stringify!($parameter)),*],)* }
            }

            /// Whether it returns a number.
            #[must_use]
            pub fn returns(self) -> bool {
                match self { $(Self::$variant => $result,)* }
            }
        }
    };
}

callbacks! {
    /// A context begins; a parent of 0 makes it a root context.
    ContextCreate "proxy_on_context_create" (context_id, parent_id) false,
    /// The VM begins.
    VmStart "proxy_on_vm_start" (context_id, configuration_size) true,
    /// Not in the specification; Envoy calls it if it is there.
    ValidateConfiguration "proxy_validate_configuration" (context_id, configuration_size) true,
    /// The plugin is given its configuration.
    Configure "proxy_on_configure" (context_id, configuration_size) true,
    /// The tick period has passed.
    Tick "proxy_on_tick" (context_id) false,
    /// A context is about to end.
    Done "proxy_on_done" (context_id) true,
    /// A stream is over and may be logged.
    Log "proxy_on_log" (context_id) false,
    /// A context ends.
    Delete "proxy_on_delete" (context_id) false,
    /// A client connected.
    NewConnection "proxy_on_new_connection" (context_id) true,
    /// The client sent something.
    DownstreamData "proxy_on_downstream_data" (context_id, data_size, end_of_stream) true,
    /// The upstream sent something.
    UpstreamData "proxy_on_upstream_data" (context_id, data_size, end_of_stream) true,
    /// The client's connection closed.
    DownstreamConnectionClose "proxy_on_downstream_connection_close" (context_id, peer_type) false,
    /// The upstream's connection closed.
    UpstreamConnectionClose "proxy_on_upstream_connection_close" (context_id, peer_type) false,
    /// Request headers came. In ABI 0.1.0 the last parameter is missing.
    RequestHeaders "proxy_on_request_headers" (context_id, num_headers, end_of_stream) true,
    /// A part of the request's body came.
    RequestBody "proxy_on_request_body" (context_id, body_size, end_of_stream) true,
    /// Request trailers came.
    RequestTrailers "proxy_on_request_trailers" (context_id, num_trailers) true,
    /// Not in the specification: HTTP/2 METADATA of the request.
    RequestMetadata "proxy_on_request_metadata" (context_id, num_elements) true,
    /// Response headers came. In ABI 0.1.0 the last parameter is missing.
    ResponseHeaders "proxy_on_response_headers" (context_id, num_headers, end_of_stream) true,
    /// A part of the response's body came.
    ResponseBody "proxy_on_response_body" (context_id, body_size, end_of_stream) true,
    /// Response trailers came.
    ResponseTrailers "proxy_on_response_trailers" (context_id, num_trailers) true,
    /// Not in the specification: HTTP/2 METADATA of the response.
    ResponseMetadata "proxy_on_response_metadata" (context_id, num_elements) true,
    /// An HTTP callout was answered or failed.
    HttpCallResponse "proxy_on_http_call_response" (context_id, call_id, num_headers, body_size, num_trailers) false,
    /// A gRPC callout's response began.
    GrpcReceiveInitialMetadata "proxy_on_grpc_receive_initial_metadata" (context_id, call_id, num_elements) false,
    /// A gRPC callout was sent a message.
    GrpcReceive "proxy_on_grpc_receive" (context_id, call_id, message_size) false,
    /// A gRPC callout's response is about to end.
    GrpcReceiveTrailingMetadata "proxy_on_grpc_receive_trailing_metadata" (context_id, call_id, num_elements) false,
    /// A gRPC callout ended.
    GrpcClose "proxy_on_grpc_close" (context_id, call_id, status_code) false,
    /// Something was put into a queue of this VM.
    QueueReady "proxy_on_queue_ready" (context_id, queue_id) false,
    /// The host calls the module by a number that both know.
    ForeignFunction "proxy_on_foreign_function" (context_id, function_id, arguments_size) false,
    /// Envoy's own: a name was resolved that `envoy_resolve_dns` asked for.
    ResolveDns "envoy_on_resolve_dns" (context_id, token, result_size) false,
}

impl Callback {
    /// Its name without the prefix that all share, as transcripts print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let export = self.export();
        export.strip_prefix("proxy_").unwrap_or(export)
    }
}
