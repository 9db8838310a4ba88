//! gRPC statuses for what is not gRPC.

/// The gRPC status for an HTTP one (`Grpc::Utility::httpToGrpcStatus`).
pub(crate) fn of_http(http: u32) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}
