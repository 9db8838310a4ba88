-- What one-set.json has header-mutation do, as a script of Envoy's Lua filter.
function envoy_on_request(handle)
  handle:headers():replace("x-training", "envoy-wasm")
end

function envoy_on_response(handle)
  handle:headers():replace("x-training", "envoy-wasm")
end
