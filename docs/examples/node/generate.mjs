// Makes a picture and watches it: node generate.mjs "a red fox" fox.png [HOST:PORT] [DESCRIPTORS]
//
// There is no generated code here: the service's own descriptor set is all that grpc-js needs. Survives a server that
// goes away for a while, because every event carries a token from which the stream goes on.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import protoLoader from '@grpc/proto-loader'

const [prompt = 'a red fox', file = 'fox.png', address = '127.0.0.1:50051', descriptors] = process.argv.slice(2)
const set = descriptors ?? fileURLToPath(new URL('../../../protos/imagegen/v1/imagegen.binpb', import.meta.url))
const definition = protoLoader.loadFileDescriptorSetFromBuffer(readFileSync(set), {
  keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
})
const { ImageGenService, AssetService } = grpc.loadPackageDefinition(definition).imagegen.v1
const credentials = grpc.credentials.createInsecure()
const images = new ImageGenService(address, credentials)
const assets = new AssetService(address, credentials)

const createJob = (request) =>
  new Promise((resolve, reject) => images.CreateJob(request, (error, answer) => (error ? reject(error) : resolve(answer))))

async function* watch(jobId) {
  let token = 'earliest'
  for (;;) {
    try {
      for await (const { event } of images.WatchJob({ job_id: jobId, resume_token: token })) {
        if (event.resume_token) token = event.resume_token
        yield event
        if (event.event === 'completed') return
      }
    } catch (error) {
      if (error.code !== grpc.status.UNAVAILABLE) throw error
      await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 500))
    }
  }
}

async function download(digest) {
  const chunks = []
  for await (const message of assets.ReadAsset({ digest })) if (message.part === 'chunk') chunks.push(message.chunk)
  return Buffer.concat(chunks)
}

const { job } = await createJob({ spec: { image: { prompt, steps: 8, width: 256, height: 256 } } })
for await (const event of watch(job.job_id)) {
  if (event.event === 'progress') console.log(`${Math.round(100 * event.progress.fraction)} %`)
  else if (event.event === 'preview') console.log(`preview, ${event.preview.data.length} bytes`)
  else if (event.event === 'completed') {
    const { state, outputs, error } = event.completed.job
    console.log(state)
    if (state !== 'JOB_STATE_SUCCEEDED') throw new Error(error.message)
    writeFileSync(file, await download(outputs[0].asset.digest))
    console.log(`saved ${file}`)
  }
}
images.close()
assets.close()
