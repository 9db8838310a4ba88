// The guest in Go, by the Proxy-Wasm SDK that Go's own compiler builds.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const language = "go"

func main() {}

func init() {
	proxywasm.SetVMContext(&vm{})
}

type vm struct{ types.DefaultVMContext }

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

type plugin struct{ types.DefaultPluginContext }

func (*plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		proxywasm.LogCriticalf("configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	proxywasm.LogInfo("configured: " + string(configuration))
	return types.OnPluginStartStatusOK
}

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &stream{} }

type stream struct{ types.DefaultHttpContext }

func (*stream) OnHttpRequestHeaders(int, bool) types.Action {
	name, err := proxywasm.GetHttpRequestHeader("x-name")
	if err != nil {
		name = "nobody"
	}
	complain(proxywasm.AddHttpRequestHeader("x-guest", language))
	proxywasm.LogInfo("hello " + name)
	if path, err := proxywasm.GetHttpRequestHeader(":path"); err == nil && path == "/reply" {
		complain(proxywasm.SendHttpResponse(403, nil, []byte("denied by "+language), -1))
		return types.ActionPause
	}
	return types.ActionContinue
}

func (*stream) OnHttpResponseHeaders(int, bool) types.Action {
	complain(proxywasm.ReplaceHttpResponseHeader("x-guest", language))
	return types.ActionContinue
}

// OnHttpStreamDone is the SDK's name for proxy_on_log.
func (*stream) OnHttpStreamDone() {
	proxywasm.LogInfo("log")
}

func complain(err error) {
	if err != nil {
		proxywasm.LogCriticalf("%v", err)
	}
}
