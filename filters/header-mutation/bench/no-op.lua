-- What no-op.json has header-mutation do, as a script of Envoy's Lua filter.
function envoy_on_request(handle)
  handle:headers():remove("x-not-there")
end

function envoy_on_response(handle)
  handle:headers():remove("x-not-there")
end
