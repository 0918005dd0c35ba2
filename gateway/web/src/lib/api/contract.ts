// Generated from protos/imagegen/v1 by generate_types.py (`make protos`). Do not edit.

/** A message to send: whatever is left out has its default. */
export type Sent<T> = T extends (infer Item)[]
  ? Sent<Item>[]
  : T extends object
    ? { [Name in keyof T]?: Sent<T[Name]> }
    : T;

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A google.rpc.Status. */
export interface Status {
  code: number;
  message: string;
  details: { '@type': string; reason?: string; metadata?: Record<string, string> }[];
}

/** Nothing happened for a while. */
export interface Alive {
}

/** A stored file. */
export interface Asset {
  /** SHA-256 of the bytes: 64 lower-case hexadecimal digits. */
  digest: string;
  /** Size in bytes. */
  size_bytes: string;
  /** "image/png", "image/jpeg", "image/webp", or another type for what else a graph may give. */
  media_type: string;
  /** Width in pixels; 0 for what is no image. */
  width: number;
  /** Height in pixels; 0 for what is no image. */
  height: number;
  /** When it was first stored. */
  create_time?: string;
  /** Where it came from. */
  origin: AssetOrigin;
  /** The job that first made it; empty for uploads. */
  job_id: string;
  /** What that job was asked for, as far as a gallery shows it; absent for uploads. */
  source?: AssetSource;
  /** Whether somebody marked it as a favorite. Favorites are kept, whatever the settings say about age and room. */
  favorite: boolean;
  /** When it was deleted; absent: it is there. */
  delete_time?: string;
  /** When a deleted file is removed for good, at the latest; absent: it is not deleted. */
  purge_time?: string;
}

/** A value that pictures can be filtered by. */
export interface AssetFacet {
  /** The value; empty: not known, or nobody in particular. */
  value: string;
  /** How many pictures have it. */
  count: number;
}

/** What is going to be written. */
export interface AssetHeader {
  /** Expected SHA-256 of the whole, 64 lower-case hexadecimal digits; empty: not checked. */
  digest: string;
  /** Expected size in bytes; 0: not checked. */
  size_bytes: string;
}

/** Where an asset came from. */
export type AssetOrigin =
  | 'ASSET_ORIGIN_UNSPECIFIED'
  | 'ASSET_ORIGIN_UPLOAD'
  | 'ASSET_ORIGIN_OUTPUT';

/** What a job was asked for that made a picture. Kept with the picture, also when the job is forgotten. */
export interface AssetSource {
  /** Who asked; empty: nobody in particular. */
  owner: string;
  /** What it should show, the first 1,000 characters; empty: not known, as of graphs without a prompt of that name. */
  prompt: string;
  /** The model; empty: not known. */
  model: string;
  /** The workflow; empty: none. */
  workflow_id: string;
  /** Which image of the job it is, from 0. */
  image_index: number;
  /** The seed that made it; absent where it is not known. */
  seed?: string;
  /** Whether it is a by-product, as of ComfyUI's PreviewImage. */
  intermediate: boolean;
}

/** One run of a job on one backend. */
export interface Attempt {
  /** Number within the job, from 1. */
  number: number;
  /** Name of the backend. */
  backend: string;
  /** The backend's own id of the run (ComfyUI prompt_id, A1111 task id); empty while it has none. */
  remote_id: string;
  /** How the attempt stands. */
  state: AttemptState;
  /** When it was handed to the backend. */
  start_time?: string;
  /** When it ended; absent while it runs. */
  end_time?: string;
  /** Why it failed; present exactly in ATTEMPT_STATE_FAILED and ATTEMPT_STATE_UNCERTAIN. Same form as Job.error. */
  error?: Status;
  /** The first image of the job that it makes, from 0. */
  first_image: number;
  /** How many images it makes; 0: all that the graph gives. A job of several images may be spread over several attempts, also at the same time on several backends, and a new attempt makes only what is missing. */
  image_count: number;
}

/** An attempt failed, or was lost. */
export interface AttemptFailed {
  /** The attempt, with its error. */
  attempt?: Attempt;
  /** Whether what it did not deliver goes back into the queue. */
  will_retry: boolean;
}

/** The job was handed to a backend. */
export interface AttemptStarted {
  /** Number of the attempt, from 1. */
  number: number;
  /** Name of the backend. */
  backend: string;
  /** The first image of the job that it makes, from 0. */
  first_image: number;
  /** How many images it makes; 0: all that the graph gives. */
  image_count: number;
}

/** How an attempt stands. */
export type AttemptState =
  | 'ATTEMPT_STATE_UNSPECIFIED'
  | 'ATTEMPT_STATE_RUNNING'
  | 'ATTEMPT_STATE_SUCCEEDED'
  | 'ATTEMPT_STATE_FAILED'
  | 'ATTEMPT_STATE_CANCELLED'
  | 'ATTEMPT_STATE_UNCERTAIN';

/** A running ComfyUI, A1111 (or compatible) server, or the built-in demo. */
export interface Backend {
  /** Name in the configuration: lower-case letters, digits and hyphens. */
  name: string;
  /** Kind of adapter: "comfyui", "a1111" or "demo". */
  kind: string;
  /** Its address without user and password; empty for the demo. */
  url: string;
  /** Whether it answers. */
  health: BackendHealth;
  /** Why it is not healthy; empty otherwise. */
  reason: string;
  /** Its version, as "0.3.64"; empty where it does not tell. */
  version: string;
  /** Its compute devices; empty where it does not tell. */
  devices: Device[];
  /** The checkpoint that is loaded; empty where it is not known. */
  resident_model: string;
  /** Jobs in its own queue, running ones included, whoever sent them. */
  queue_depth: number;
  /** Ids of our jobs that run there now. */
  running_job_ids: string[];
  /** What it can do. */
  capabilities?: BackendCapabilities;
  /** When it last answered; absent: never. */
  last_seen_time?: string;
  /** Whether somebody drained it: it gets no new jobs. */
  drained: boolean;
  /** Its labels in the configuration; JobSpec.backend_labels selects by them. */
  labels: Record<string, string>;
  /** How many jobs it is handed at a time. Those beyond the first wait in its own queue, where it has one. */
  max_concurrent_jobs: number;
  /** Whether it was added by CreateBackend, and can be taken away by DeleteBackend. */
  added: boolean;
  /** Steps of 1024 x 1024 pixels that it does in a second, as measured lately over its jobs; absent: not measured. */
  megapixel_steps_per_second?: number;
}

/** What a kind of backend can do. A request beyond it is refused with the field's path. */
export interface BackendCapabilities {
  /** Takes ImageParameters. */
  image_parameters: boolean;
  /** Takes RawGraph. */
  graphs: boolean;
  /** Takes init_image. */
  image_to_image: boolean;
  /** Takes mask. */
  inpainting: boolean;
  /** Takes hires. */
  hires: boolean;
  /** Sends preview frames (where the server has them switched on). */
  previews: boolean;
  /** Largest batch_size. */
  max_batch_size: number;
  /** Can find an attempt again after a restart of this service. */
  reattach: boolean;
  /** Takes loras. */
  loras: boolean;
  /** Can load a model on request (LoadModel). */
  model_loading: boolean;
}

/** What one of several backends could not do. */
export interface BackendFailure {
  /** Its name. */
  backend: string;
  /** A sentence for a person. */
  message: string;
}

/** Whether a backend answers. */
export type BackendHealth =
  | 'BACKEND_HEALTH_UNSPECIFIED'
  | 'BACKEND_HEALTH_HEALTHY'
  | 'BACKEND_HEALTH_UNHEALTHY';

/** A backend was taken away. */
export interface BackendRemoved {
  /** Its name. */
  name: string;
}

/** Whether a backend can run a workflow. */
export interface BackendVerdict {
  /** Its name. */
  backend: string;
  /** Whether it can, as far as that can be known beforehand. */
  runnable: boolean;
  /** What was found, errors first, at most 200. */
  problems: WorkflowProblem[];
  /** Whether the backend has never told what it has: then only the graph itself was checked. */
  unknown: boolean;
}

/** Request of CancelJob. */
export interface CancelJobRequest {
  /** The job. */
  job_id: string;
}

/** Response of CancelJob. */
export interface CancelJobResponse {
  /** The job as it is after the call. */
  job?: Job;
}

/** All that was missed has been sent. */
export interface CaughtUp {
}

/** Something was changed. */
export interface Changed {
  /** What. */
  topic: Topic;
  /** Which, where one is meant: a workflow's id, an asset's digest; empty: several, or all. */
  id: string;
}

/** The job ended. */
export interface Completed {
  /** The job in its final state. */
  job?: Job;
}

/** How sure a proposal is. */
export type Confidence =
  | 'CONFIDENCE_UNSPECIFIED'
  | 'CONFIDENCE_LOW'
  | 'CONFIDENCE_MEDIUM'
  | 'CONFIDENCE_HIGH';

/** Request of CreateBackend. */
export interface CreateBackendRequest {
  /** Its name: lower-case letters, digits and hyphens; empty: its kind, numbered where that is taken. */
  name: string;
  /** "comfyui", "a1111" or "demo"; empty: found out by asking the address. */
  kind: string;
  /** Its address as a browser takes it, with scheme and port; user and password for basic authentication may be in it, and are never given out again. Not for the demo. */
  url: string;
  /** Labels that JobSpec.backend_labels can ask for. */
  labels: Record<string, string>;
  /** How many jobs it is handed at a time, 1..64; 0: as many as suit its kind. */
  max_concurrent_jobs: number;
  /** Only ask the address, and add nothing. */
  validate_only: boolean;
}

/** Response of CreateBackend. */
export interface CreateBackendResponse {
  /** The backend as it answered. */
  backend?: Backend;
}

/** Request of CreateJob. */
export interface CreateJobRequest {
  /** What to make. */
  spec?: JobSpec;
  /** Idempotency key of the caller's choice, at most 128 printable ASCII characters; empty: none. */
  request_id: string;
  /** Check the request as if it were to be run, and accept nothing. The answer holds the job as it would be, without id, and with the place in the queue that it would have, as far as that can be foreseen. */
  validate_only: boolean;
}

/** Response of CreateJob. */
export interface CreateJobResponse {
  /** The job. */
  job?: Job;
  /** Whether an earlier call with the same request_id made it. */
  replayed: boolean;
}

/** Request of CreateKey. */
export interface CreateKeyRequest {
  /** The key to make. */
  key?: Key;
}

/** Response of CreateKey. */
export interface CreateKeyResponse {
  /** The key. */
  key?: Key;
  /** What its holder shows: 43 characters that carry 256 random bits. Told this once. */
  secret: string;
}

/** Request of CreateWorkflow. */
export interface CreateWorkflowRequest {
  /** The workflow; what is chosen by the server is ignored. */
  workflow?: Workflow;
}

/** Response of CreateWorkflow. */
export interface CreateWorkflowResponse {
  /** The workflow as it is stored. */
  workflow?: Workflow;
}

/** Request of DeleteAsset. */
export interface DeleteAssetRequest {
  /** Digest of the file. */
  digest: string;
  /** Remove it for good and at once. So can a file be removed that is deleted already. */
  permanently: boolean;
}

/** Response of DeleteAsset. */
export interface DeleteAssetResponse {
  /** The deleted file, with its `purge_time`; absent when it was removed for good. */
  asset?: Asset;
}

/** Request of DeleteBackend. */
export interface DeleteBackendRequest {
  /** Name of the backend. */
  name: string;
}

/** Response of DeleteBackend. */
export interface DeleteBackendResponse {
}

/** Request of DeleteJob. */
export interface DeleteJobRequest {
  /** The job. */
  job_id: string;
}

/** Response of DeleteJob. */
export interface DeleteJobResponse {
}

/** Request of DeleteKey. */
export interface DeleteKeyRequest {
  /** Name of the key. */
  name: string;
}

/** Response of DeleteKey. */
export interface DeleteKeyResponse {
}

/** Request of DeleteWorkflow. */
export interface DeleteWorkflowRequest {
  /** The workflow. */
  workflow_id: string;
}

/** Response of DeleteWorkflow. */
export interface DeleteWorkflowResponse {
}

/** A compute device of a backend. */
export interface Device {
  /** Its name, as "NVIDIA H200". */
  name: string;
  /** Memory in bytes; 0: not known. */
  memory_total_bytes: string;
  /** Free memory in bytes; 0: not known. */
  memory_free_bytes: string;
}

/** Request of DrainBackend. */
export interface DrainBackendRequest {
  /** Name of the backend. */
  name: string;
}

/** Response of DrainBackend. */
export interface DrainBackendResponse {
  /** The backend after the call. */
  backend?: Backend;
}

/** What chats and OpenAI clients can choose as models. */
export interface ExposureSettings {
  /** Checkpoints and diffusion models, as patterns: "sdxl/*"; unset: "*". Set as a whole. */
  models?: PatternList;
  /** Workflows, as patterns over their ids; unset: "*". The built-in ones are never listed by themselves. Set as a whole. */
  workflows?: PatternList;
}

/** Request of GenerateImages. */
export interface GenerateImagesRequest {
  /** What to make. */
  spec?: JobSpec;
  /** As in CreateJobRequest. */
  request_id: string;
  /** Cancel the job when this stream is closed before its end. */
  cancel_on_disconnect: boolean;
  /** What to send. */
  watch?: WatchOptions;
}

/** Response of GenerateImages. */
export interface GenerateImagesResponse {
  /** What happened. */
  event?: JobEvent;
}

/** What requests get that leave it open. */
export interface GenerationDefaults {
  /** The workflow that pages and the command line begin with; unset: "text-to-image". */
  workflow_id?: string;
  /** The checkpoint or diffusion model; unset or empty: the backend's resident or first one. */
  model?: string;
  /** What pictures should not show; unset: nothing. Counts for requests that give none. */
  negative_prompt?: string;
  /** Width in pixels, a multiple of 8 in 64..4096; unset: what the model's family is made for. */
  width?: number;
  /** Height in pixels, a multiple of 8 in 64..4096; unset: what the model's family is made for. */
  height?: number;
  /** Sampling steps, 1..500; unset: the family's. */
  steps?: number;
  /** Classifier-free guidance scale, 0..100; unset: the family's. */
  cfg_scale?: number;
  /** Sampler; unset or empty: the backend's. */
  sampler?: string;
  /** Noise schedule; unset or empty: the backend's. */
  scheduler?: string;
}

/** Request of GetAssetFacets. */
export interface GetAssetFacetsRequest {
}

/** Response of GetAssetFacets. */
export interface GetAssetFacetsResponse {
  /** Pictures that jobs made, by-products left out. */
  pictures: number;
  /** Favorites among them. */
  favorites: number;
  /** Deleted files that can still be brought back. */
  deleted: number;
  /** Models that made pictures, the most used first, at most 200. */
  models: AssetFacet[];
  /** Workflows that made pictures, by id, the most used first, at most 200. */
  workflows: AssetFacet[];
  /** Owners of pictures, the most first, at most 200. */
  owners: AssetFacet[];
}

/** Request of GetAsset. */
export interface GetAssetRequest {
  /** Digest of the file. */
  digest: string;
}

/** Response of GetAsset. */
export interface GetAssetResponse {
  /** The file. */
  asset?: Asset;
}

/** Request of GetBackend. */
export interface GetBackendRequest {
  /** Name of the backend. */
  name: string;
}

/** Response of GetBackend. */
export interface GetBackendResponse {
  /** The backend. */
  backend?: Backend;
}

/** Request of GetGenerationMetadata. */
export interface GetGenerationMetadataRequest {
  /** Digest of the picture. */
  digest: string;
}

/** Response of GetGenerationMetadata. */
export interface GetGenerationMetadataResponse {
  /** What to ask for to get this picture again, with the seed that made it and a count of one; absent: not known. For a picture from elsewhere this is what could be understood, which is not checked against the backends. */
  spec?: JobSpec;
  /** The job that made it; empty: none that is known. */
  job_id: string;
  /** A1111's `parameters` text: the file's own, or else made from `spec`; empty: neither. */
  parameters: string;
  /** The graph in API format that the file holds, as JSON text; empty: none. */
  graph_json: string;
  /** The graph in UI format that the file holds, as JSON text; empty: none. */
  ui_json: string;
  /** What could not be understood, or is not carried by `spec`, a sentence each. */
  notes: string[];
}

/** Request of GetJob. */
export interface GetJobRequest {
  /** The job. */
  job_id: string;
}

/** Response of GetJob. */
export interface GetJobResponse {
  /** The job. */
  job?: Job;
}

/** Request of GetModel. */
export interface GetModelRequest {
  /** Its type. */
  type: ModelType;
  /** Its name. */
  name: string;
}

/** Response of GetModel. */
export interface GetModelResponse {
  /** The model. */
  model?: Model;
}

/** Request of GetNodeDefinitions. */
export interface GetNodeDefinitionsRequest {
  /** Only what this backend has; empty: the union over all backends that take graphs. */
  backend: string;
  /** Only this class, as "KSampler"; empty: all. */
  class_type: string;
}

/** Response of GetNodeDefinitions. */
export interface GetNodeDefinitionsResponse {
  /** Definitions by class as JSON text: {"KSampler": {"input": {...}, "output": [...], ...}, ...}; "{}": there are none. Where several backends have a class, its choices are those of all of them and the rest is the first one's. Text and not a structure, because numbers go up to 2^64-1 and JSON numbers of other languages do not. */
  json: string;
  /** Names of the backends whose definitions these are, in the order of the configuration. One that takes graphs and is not among them has not told what it has. */
  backends: string[];
}

/** Request of GetQueue. */
export interface GetQueueRequest {
}

/** Response of GetQueue. */
export interface GetQueueResponse {
  /** The queue. */
  queue?: Queue;
}

/** Request of GetSettings. */
export interface GetSettingsRequest {
}

/** Response of GetSettings. */
export interface GetSettingsResponse {
  /** What counts now: every field is set that has a value at all. */
  effective?: Settings;
  /** What was set here. */
  stored?: Settings;
  /** Grows with every change; 1: nothing was ever changed. */
  version: string;
}

/** Request of GetSystem. */
export interface GetSystemRequest {
}

/** Response of GetSystem. */
export interface GetSystemResponse {
  /** Version of the server, as "0.6.0". */
  version: string;
  /** When it was started. */
  start_time?: string;
  /** How many files it keeps, deleted ones that can still be brought back included. */
  assets: string;
  /** How much room they take in bytes. */
  assets_bytes: string;
  /** Free room in bytes where they are kept. */
  free_bytes: string;
  /** How many jobs it remembers. */
  jobs: string;
  /** Largest file that can be stored, in bytes. */
  max_asset_bytes: string;
  /** Whether backends can be added and taken away. */
  backend_changes_allowed: boolean;
  /** Kinds of backends that there are. */
  backend_kinds: string[];
}

/** Request of GetWorkflow. */
export interface GetWorkflowRequest {
  /** The workflow. */
  workflow_id: string;
  /** The revision; 0: the newest. */
  revision: number;
}

/** Response of GetWorkflow. */
export interface GetWorkflowResponse {
  /** The workflow. */
  workflow?: Workflow;
}

/** Nothing happened for a while. */
export interface Heartbeat {
}

/** The second pass of "hires fix": scale the first result up, then sample again over it. */
export interface HiresParameters {
  /** Factor by which width and height grow, above 1 and at most 4. */
  scale: number;
  /** Upscaler as the backend lists it; empty: the backend's latent upscaler. */
  upscaler: string;
  /** Steps of the second pass, 1..500; unset: as many as in the first. */
  steps?: number;
  /** How much of the scaled picture is replaced, 0..1; unset: 0.5. */
  denoise?: number;
}

/** Text-to-image; image-to-image with `init_image`; inpainting with `init_image` and `mask`. Image i of the job (from 0) is made with seed + i. */
export interface ImageParameters {
  /** What the picture should show, at most 32,768 characters. */
  prompt: string;
  /** What it should not show, at most 32,768 characters. */
  negative_prompt: string;
  /** A checkpoint or diffusion model as ModelService lists it; empty: the default of the settings, or else the backend's resident or first checkpoint, written back when it is known. */
  model: string;
  /** A VAE as ModelService lists it; empty: the model's own. */
  vae: string;
  /** Width in pixels: 0 (the initial image's, rounded down to a multiple of 8; else the default of the settings; else what the model's family is made for, mostly 512 or 1024) or a multiple of 8 in 64..4096. */
  width: number;
  /** Height in pixels: the same rules as width. */
  height: number;
  /** Sampling steps, 1..500; unset: the default of the settings, else the family's, mostly 20. */
  steps?: number;
  /** Classifier-free guidance scale, 0..100; unset: the default of the settings, else the family's: 7, or 1 for models that were distilled. */
  cfg_scale?: number;
  /** Sampler as the backend lists it; empty: the default of the settings, else the backend's. */
  sampler: string;
  /** Noise schedule as the backend lists it; empty: the default of the settings, else the backend's. */
  scheduler: string;
  /** Seed of the first image, 0..2^63-1; unset: chosen by the server and written back. */
  seed?: string;
  /** How many images to make, 1..64; 0: one. */
  count: number;
  /** How many of them to compute in one pass, 1..16; 0: one. More is faster on large GPUs, but the images of a pass arrive together. Refused above the backend's `max_batch_size`. */
  batch_size: number;
  /** Digest of the asset to start from (image-to-image); empty: none. */
  init_image: string;
  /** Digest of the mask for inpainting: white is repainted, black and what is transparent is kept; scaled to the initial image. Empty: none. */
  mask: string;
  /** How much of the initial image is replaced, 0 (nothing) .. 1 (everything); unset: 0.75. Only with init_image. */
  denoise?: number;
  /** Blur of the mask's edge in pixels, 0..64; unset: 4. Only with mask. */
  mask_blur?: number;
  /** A second pass at a larger size; absent: none. Text-to-image only. */
  hires?: HiresParameters;
  /** LoRAs, applied in this order, at most 16. */
  loras: Lora[];
  /** Text encoders as ModelService lists them, for a diffusion model that comes without; empty: those that fit the model's family, by their names. Refused with a checkpoint, which has its own. At most 4. */
  text_encoders: string[];
  /** Guidance of models that were distilled with it, as Flux, 0..100; unset: 3.5. Refused for models without it. */
  distilled_cfg_scale?: number;
}

/** Request of ImportWorkflow. */
export interface ImportWorkflowRequest {
  /** Text in any of the forms, at most 8 MB. Which one it is, is found out. */
  text?: string;
  /** Digest of a picture that holds it. */
  asset?: string;
  /** Open WebUI's node mapping as JSON text, as its settings hold it: [{"type": "prompt", "key": "text", "node_ids": ["6"]}, ...]. Only with a graph in API format; empty: none. It decides what the inputs are. */
  openwebui_nodes_json: string;
  /** The backend whose node definitions to read the graph with; empty: those of all backends together. */
  backend: string;
  /** A name to make title and id from, as the file's; empty: the graph's own, if it has one. */
  name: string;
}

/** Response of ImportWorkflow. */
export interface ImportWorkflowResponse {
  /** What it is, ready for CreateWorkflow: with proposed inputs, title and id. For `parameters` text: a variant of a built-in workflow. */
  workflow?: Workflow;
  /** In which form it came. */
  format: WorkflowFormat;
  /** How sure each of the proposed inputs is, in their order. */
  proposals: InputProposal[];
  /** What was not understood, lost or guessed on the way. A graph with problems may still run as it is. */
  problems: WorkflowProblem[];
  /** For `parameters` text: what it asks for; otherwise absent. */
  image?: ImageParameters;
}

/** How an input was found. */
export interface InputProposal {
  /** Name of the input. */
  name: string;
  /** How sure it is. */
  confidence: Confidence;
  /** Why, a sentence: "the text that reaches `positive` of KSampler (3)". */
  reason: string;
}

/** An input of a node. */
export interface InputTarget {
  /** The node. */
  node_id: string;
  /** Name of its input. */
  input: string;
}

/** One request for images. */
export interface Job {
  /** Identifier chosen by the server: a lower-case UUID. */
  job_id: string;
  /** The caller's idempotency key, or empty when none was given. */
  request_id: string;
  /** What was asked for, with the defaults and seeds that the server chose written back. */
  spec?: JobSpec;
  /** Where the job is in its life. */
  state: JobState;
  /** Who asked for it: what the call's metadata said in `imagegen-owner`; empty: nobody in particular. */
  owner: string;
  /** When the job was accepted. */
  create_time?: string;
  /** When the first attempt began; absent while none has. */
  start_time?: string;
  /** When the job ended; absent while it has not. */
  end_time?: string;
  /** Every run of this job on a backend, oldest first. */
  attempts: Attempt[];
  /** The results so far, in the order in which they arrived. */
  outputs: Output[];
  /** Why the job ended without success; present exactly in FAILED, EXPIRED and CANCELLED. Its details hold exactly one ErrorInfo whose reason is a value of ErrorReason. */
  error?: Status;
  /** Things that the caller should know although the job went on, oldest first, at most 100. */
  warnings: Warning[];
  /** The newest progress; absent before the first and after the end. Not durable. */
  progress?: Progress;
  /** The place in the queue; present only in QUEUED. */
  queue?: QueueInfo;
  /** Sequence number of the newest durable event of this job, from 1. */
  sequence: string;
  /** Names the moment of this snapshot: WatchJob with this token goes on from here. */
  resume_token: string;
  /** The job that this one repeats (RetryJob); empty: none. */
  retry_of: string;
  /** Whether somebody paused it: it keeps its place in the queue and is not started. */
  paused: boolean;
  /** The job that had made the same before, whose outputs this one was answered with (`JobSpec.reuse`); empty: it ran. */
  reused_from: string;
}

/** One thing that happened to a job. */
export interface JobEvent {
  /** The job; empty in caught_up, reset and heartbeat of a stream of many jobs. */
  job_id: string;
  /** Durable events: the event's number within the job, from 1. Others: that of the newest durable event before it. */
  sequence: string;
  /** When it happened, by the server's clock. */
  time?: string;
  /** Number of the attempt that it belongs to; 0: none. */
  attempt: number;
  /** Opaque: give it back as `resume_token` to go on after this event. Always valid, also in ephemeral events. */
  resume_token: string;
  /** Control: the job as it is now. First event of a stream without a token, and after reset. */
  snapshot?: Job;
  /** Durable: the job's state changed. For final states see completed, which takes its place. */
  state_changed?: StateChanged;
  /** Ephemeral: the place in the queue changed. */
  queue_updated?: QueueInfo;
  /** Durable: the job was handed to a backend. */
  attempt_started?: AttemptStarted;
  /** Durable: an attempt failed. */
  attempt_failed?: AttemptFailed;
  /** Ephemeral: a model is being loaded, which takes seconds to minutes without steps. */
  model_loading?: ModelLoading;
  /** Durable: what the attempt is going to do. May be sent again when the backend tells more. */
  plan?: Plan;
  /** Ephemeral: the backend turned to something else. */
  phase_changed?: PhaseChanged;
  /** Ephemeral: a step was done. */
  progress?: Progress;
  /** Ephemeral: a picture of how it looks now. */
  preview?: Preview;
  /** Durable: a result is stored and can be read. */
  output_ready?: Output;
  /** Durable: something that the caller should know. */
  warning?: Warning;
  /** Durable: the job ended. The last durable event of a job, and there is exactly one. */
  completed?: Completed;
  /** Control: all that was missed has been sent; live events follow. */
  caught_up?: CaughtUp;
  /** Control: events were missed that cannot be replayed; a snapshot follows for each job of the stream. */
  reset?: Reset;
  /** Control: nothing happened for a while; shows that the stream lives. */
  heartbeat?: Heartbeat;
  /** Durable: somebody changed the job's priority or labels, or paused, resumed or moved it. */
  updated?: JobUpdated;
}

/** What to make, where, and how to show it on the way. */
export interface JobSpec {
  /** Parameters that every kind of backend understands. */
  image?: ImageParameters;
  /** A stored workflow with values for its inputs. */
  workflow?: WorkflowInvocation;
  /** A ComfyUI graph, run as it is. Only backends that take graphs can have it: ComfyUI, and in part the demo. */
  graph?: RawGraph;
  /** Which preview frames to produce. What is left open is as the settings say, or else frames as the backend sends them, at most 10 a second. */
  preview?: PreviewOptions;
  /** Name of the only backend that may run the job; empty: any that can. */
  backend: string;
  /** The caller's own notes; ListJobs can filter by them. At most 32 pairs; keys without "=". */
  labels: Record<string, string>;
  /** Values passed through to a kind of backend, keyed by kind: {"a1111": {"tiling": true}} adds fields to the request body of A1111, {"comfyui": {...}} adds to `extra_data`. Ignored by other kinds. */
  backend_options?: Record<string, Json>;
  /** Priority class, -10 (last) .. 10 (first); unset: 0. A higher class goes first; what has waited long without its owner being served rises, so that nothing waits for ever. */
  priority?: number;
  /** The job expires if its first attempt has not begun so long after it was accepted; absent: it waits as long as it takes. Above 0 and at most 30 days. */
  start_deadline?: string;
  /** The job expires if it has not ended so long after it was first handed to a backend, where it may still have to wait for others: what runs is stopped there, and outputs that came before are kept. Absent: no limit. Above 0 and at most 30 days. */
  execution_deadline?: string;
  /** What to do after an attempt of which its backend cannot tell whether it still runs. */
  on_uncertain: UncertainPolicy;
  /** Labels that a backend must have to run the job, all of them; empty: any. At most 16 pairs. */
  backend_labels: Record<string, string>;
  /** Answer with the outputs of an earlier job that made exactly this, where there is one: same source, every seed given by the caller, succeeded, all files still there. Job.reused_from says so. Otherwise the job runs as usual. */
  reuse: boolean;
}

/** The states of a job. QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED | EXPIRED; RUNNING -> QUEUED when an attempt failed and the job will be tried again; CANCELLING lies between the wish to stop its attempts and their end. Without any attempt QUEUED goes straight to CANCELLED or EXPIRED. */
export type JobState =
  | 'JOB_STATE_UNSPECIFIED'
  | 'JOB_STATE_QUEUED'
  | 'JOB_STATE_RUNNING'
  | 'JOB_STATE_CANCELLING'
  | 'JOB_STATE_SUCCEEDED'
  | 'JOB_STATE_FAILED'
  | 'JOB_STATE_CANCELLED'
  | 'JOB_STATE_EXPIRED';

/** Somebody changed the job, or moved it while it waited. */
export interface JobUpdated {
  /** The job after the change. */
  job?: Job;
}

/** A key, without its secret. */
export interface Key {
  /** What logs and lists call it: lower-case letters, digits and ._@-, the first of them a letter or digit. Unique. */
  name: string;
  /** Whose jobs are made with it; empty: its name. */
  owner: string;
  /** What it may do. */
  role: KeyRole;
  /** Whether its holder may say for whom it asks, as Open WebUI does for its users. */
  acts_for_users: boolean;
  /** When it was made. Chosen by the server. */
  create_time?: string;
}

/** What the holder of a key may do. */
export type KeyRole =
  | 'KEY_ROLE_UNSPECIFIED'
  | 'KEY_ROLE_USER'
  | 'KEY_ROLE_ADMIN';

/** A set of labels. */
export interface Labels {
  /** As in JobSpec. */
  labels: Record<string, string>;
}

/** Request of ListAssets. */
export interface ListAssetsRequest {
  /** At most this many assets, 1..500; 0: 50. */
  page_size: number;
  /** `next_page_token` of the page before; empty: the first page. */
  page_token: string;
  /** Only assets of this origin. */
  origin: AssetOrigin;
  /** Only assets that this job made; empty: all. */
  job_id: string;
  /** Only pictures whose prompt contains each word of this text, letter case ignored; empty: all. */
  text: string;
  /** Only what this model made; empty: all. */
  model: string;
  /** Only what this workflow made, in any revision; empty: all. */
  workflow_id: string;
  /** Only what was made for this owner; unset: all; set and empty: for nobody in particular. */
  owner?: string;
  /** Only what was stored at this time or later. */
  created_after?: string;
  /** Only what was stored before this time. */
  created_before?: string;
  /** Only favorites. */
  favorites: boolean;
  /** Only pictures: no by-products, and nothing that is no image. */
  pictures: boolean;
  /** Deleted files that can still be brought back, the last deleted first, in place of those that are there. */
  deleted: boolean;
}

/** Response of ListAssets. */
export interface ListAssetsResponse {
  /** The assets, newest first. */
  assets: Asset[];
  /** Token of the next page; empty: this is the last. */
  next_page_token: string;
  /** How many there are on all pages. */
  total_size: number;
}

/** Request of ListBackends. */
export interface ListBackendsRequest {
}

/** Response of ListBackends. */
export interface ListBackendsResponse {
  /** The backends. */
  backends: Backend[];
}

/** Request of ListJobs. */
export interface ListJobsRequest {
  /** At most this many jobs, 1..500; 0: 50. */
  page_size: number;
  /** `next_page_token` of the page before; empty: the first page. */
  page_token: string;
  /** Only jobs in one of these states; empty: all. */
  states: JobState[];
  /** Only jobs of this owner; empty: all. */
  owner: string;
  /** Only jobs with this label, as "key=value" or "key"; empty: all. */
  label: string;
  /** Only jobs whose prompt contains this text, letter case ignored; empty: all. */
  text: string;
  /** Only jobs that ran this workflow, in any revision; empty: all. */
  workflow_id: string;
}

/** Response of ListJobs. */
export interface ListJobsResponse {
  /** The jobs, newest first. */
  jobs: Job[];
  /** Token of the next page; empty: this is the last. */
  next_page_token: string;
}

/** Request of ListKeys. */
export interface ListKeysRequest {
}

/** Response of ListKeys. */
export interface ListKeysResponse {
  /** The keys. */
  keys: Key[];
}

/** Request of ListModels. */
export interface ListModelsRequest {
  /** Only this type; unset: all. */
  type: ModelType;
  /** Only what this backend has; empty: all. */
  backend: string;
  /** Only names that contain this text, letter case ignored; empty: all. */
  text: string;
}

/** Response of ListModels. */
export interface ListModelsResponse {
  /** The models. */
  models: Model[];
  /** When the oldest of the lists behind this answer was fetched; absent: never. */
  refresh_time?: string;
}

/** Request of ListQueueEntries. */
export interface ListQueueEntriesRequest {
  /** At most this many entries, 1..500; 0: 100. */
  page_size: number;
  /** `next_page_token` of the page before; empty: the first page. */
  page_token: string;
  /** Only jobs of this owner; empty: all. */
  owner: string;
}

/** Response of ListQueueEntries. */
export interface ListQueueEntriesResponse {
  /** The entries, next one first. */
  entries: QueueEntry[];
  /** Token of the next page; empty: this is the last. */
  next_page_token: string;
}

/** Request of ListSettingsChanges. */
export interface ListSettingsChangesRequest {
  /** At most this many, 1..1000; 0: 50. */
  limit: number;
}

/** Response of ListSettingsChanges. */
export interface ListSettingsChangesResponse {
  /** The changes. */
  changes: SettingsChange[];
}

/** Request of ListWorkflowRevisions. */
export interface ListWorkflowRevisionsRequest {
  /** The workflow. */
  workflow_id: string;
}

/** Response of ListWorkflowRevisions. */
export interface ListWorkflowRevisionsResponse {
  /** The revisions, without `graph_json`, `ui_json` and `input_schema_json`. */
  workflows: Workflow[];
}

/** Request of ListWorkflows. */
export interface ListWorkflowsRequest {
  /** Only workflows whose id, title or description contains this text, letter case ignored; empty: all. */
  text: string;
  /** Only workflows with this label, as "key=value" or "key"; empty: all. */
  label: string;
}

/** Response of ListWorkflows. */
export interface ListWorkflowsResponse {
  /** The workflows, without `graph_json` and `ui_json`. */
  workflows: Workflow[];
}

/** Request of LoadModel. */
export interface LoadModelRequest {
  /** A checkpoint or a diffusion model, as ListModels gives it. */
  name: string;
  /** Only this backend; empty: every healthy one that has it. */
  backend: string;
}

/** Response of LoadModel. */
export interface LoadModelResponse {
  /** The model, as it is now. */
  model?: Model;
  /** Backends that could not load it, with the reason. */
  failures: BackendFailure[];
}

/** A LoRA and how strongly it is applied. */
export interface Lora {
  /** As ModelService lists it. */
  name: string;
  /** Its weight, -10..10; unset: 1. */
  weight?: number;
  /** Its weight for the text encoder, -10..10; unset: as `weight`. Refused where a backend has only one weight. */
  text_encoder_weight?: number;
}

/** What becomes of the generation metadata inside a picture that is read. The pixels stay as they are. */
export type MetadataPolicy =
  | 'METADATA_POLICY_UNSPECIFIED'
  | 'METADATA_POLICY_KEEP'
  | 'METADATA_POLICY_STRIP'
  | 'METADATA_POLICY_A1111';

/** Something that a request can name. */
export interface Model {
  /** The name to use in requests. */
  name: string;
  /** What it is. */
  type: ModelType;
  /** Names of the backends that have it, in the order of the configuration. */
  backends: string[];
  /** Those of them where it is loaded now. */
  resident_backends: string[];
  /** A sentence about it; often empty. */
  description: string;
  /** SHA-256 of its file: 64 lower-case hexadecimal digits; empty: no backend has told it. */
  sha256: string;
  /** Size of its file in bytes; 0: not known. */
  size_bytes: string;
  /** What its file says about itself, as "modelspec.architecture" or "ss_base_model_version": values of at most 4,096 characters. Only in GetModel, and only where a backend gives it. */
  metadata: Record<string, string>;
}

/** A model's jobs that have not ended. */
export interface ModelCount {
  /** The model; empty: not known. */
  model: string;
  /** Jobs that wait. */
  queued: number;
  /** Jobs that run or are being stopped. */
  running: number;
}

/** A model is being loaded. */
export interface ModelLoading {
  /** Its name; empty where the backend does not tell. */
  model: string;
}

/** What a model is. */
export type ModelType =
  | 'MODEL_TYPE_UNSPECIFIED'
  | 'MODEL_TYPE_CHECKPOINT'
  | 'MODEL_TYPE_VAE'
  | 'MODEL_TYPE_LORA'
  | 'MODEL_TYPE_EMBEDDING'
  | 'MODEL_TYPE_UPSCALER'
  | 'MODEL_TYPE_SAMPLER'
  | 'MODEL_TYPE_SCHEDULER'
  | 'MODEL_TYPE_DIFFUSION_MODEL'
  | 'MODEL_TYPE_TEXT_ENCODER'
  | 'MODEL_TYPE_CONTROLNET'
  | 'MODEL_TYPE_CLIP_VISION';

/** Request of MoveJob. */
export interface MoveJobRequest {
  /** The job to move. */
  job_id: string;
  /** To an end of the queue. */
  end?: QueueEnd;
  /** Right before this job. */
  before_job_id?: string;
  /** Right after this job. */
  after_job_id?: string;
}

/** Response of MoveJob. */
export interface MoveJobResponse {
  /** The job after the move. */
  job?: Job;
}

/** One result of a job. */
export interface Output {
  /** Number within the job, from 0, in order of arrival. */
  index: number;
  /** The stored file. */
  asset?: Asset;
  /** Which image of the job this is, 0..count-1; for graphs a running number. */
  image_index: number;
  /** Seed that made it; absent where it is not known (graphs). */
  seed?: string;
  /** ComfyUI node that gave it; empty elsewhere. */
  node_id: string;
  /** Whether it is a result or a by-product. */
  kind: OutputKind;
  /** Number of the attempt that made it; 0: an earlier job's, see Job.reused_from. */
  attempt: number;
}

/** What an output is for. */
export type OutputKind =
  | 'OUTPUT_KIND_UNSPECIFIED'
  | 'OUTPUT_KIND_FINAL'
  | 'OUTPUT_KIND_INTERMEDIATE';

/** An owner's jobs that have not ended. */
export interface OwnerCount {
  /** The owner; empty: nobody in particular. */
  owner: string;
  /** Jobs that wait. */
  queued: number;
  /** Jobs that run or are being stopped. */
  running: number;
  /** How many may wait; 0: as many as there is room for. */
  max_queued: number;
  /** How many may run at once; 0: no limit. */
  max_running: number;
  /** Share of the backends in relation to other owners' weights. */
  weight: number;
}

/** What an owner may have. */
export interface OwnerQuota {
  /** Share of the backends in relation to other owners' weights, while both have jobs waiting, 0.01..100; 0: 1. */
  weight: number;
  /** How many of the owner's jobs may wait; 0: as many as there is room for. */
  max_queued_jobs: number;
  /** How many of them run at once; the others wait. 0: no limit. */
  max_running_jobs: number;
}

/** Shares and limits by owner. */
export interface OwnerQuotas {
  /** By owner. */
  owners: Record<string, OwnerQuota>;
}

/** Patterns with `*` and `?`. */
export interface PatternList {
  /** The patterns; none: nothing matches. At most 100. */
  patterns: string[];
}

/** Request of PauseQueue. */
export interface PauseQueueRequest {
  /** Only this owner's jobs; empty: the whole queue. */
  owner: string;
}

/** Response of PauseQueue. */
export interface PauseQueueResponse {
  /** The queue after the call. */
  queue?: Queue;
}

/** What a backend is doing for a job. */
export type Phase =
  | 'PHASE_UNSPECIFIED'
  | 'PHASE_PREPARING'
  | 'PHASE_WAITING'
  | 'PHASE_LOADING_MODEL'
  | 'PHASE_ENCODING'
  | 'PHASE_SAMPLING'
  | 'PHASE_DECODING'
  | 'PHASE_PROCESSING'
  | 'PHASE_SAVING';

/** The backend turned to something else. */
export interface PhaseChanged {
  /** What it does now. */
  phase: Phase;
  /** ComfyUI node at work; empty elsewhere. */
  node_id: string;
  /** Its title; may be empty. */
  title: string;
}

/** What an attempt is going to do. */
export interface Plan {
  /** The nodes of the graph in the order of execution as far as it is known; empty for backends without graphs. */
  nodes: PlanNode[];
  /** How many images will be made, as far as it is known. */
  images: number;
}

/** One node of the graph that an attempt runs. */
export interface PlanNode {
  /** Its id in the graph. */
  node_id: string;
  /** Its class, as "KSampler". */
  class_type: string;
  /** Its title, or its class where it has none. */
  title: string;
  /** Whether its result was taken from the backend's cache. */
  cached: boolean;
}

/** A picture of how an image looks at this moment. */
export interface Preview {
  /** The encoded picture; empty where the watcher asked for no image bytes. */
  data: string;
  /** "image/jpeg", "image/png" or "image/webp". */
  media_type: string;
  /** Width in pixels. */
  width: number;
  /** Height in pixels. */
  height: number;
  /** Which image of the job it shows, from 0. */
  image_index: number;
  /** Step after which it was taken; 0: not known. */
  step: number;
  /** ComfyUI node that made it; empty elsewhere. */
  node_id: string;
  /** Number of the frame within the attempt, from 1. Grows; a watcher may see gaps. */
  frame: number;
}

/** Which previews a stream carries. */
export type PreviewDelivery =
  | 'PREVIEW_DELIVERY_UNSPECIFIED'
  | 'PREVIEW_DELIVERY_INLINE'
  | 'PREVIEW_DELIVERY_NOTICE'
  | 'PREVIEW_DELIVERY_NONE';

/** Encoding of preview frames. */
export type PreviewFormat =
  | 'PREVIEW_FORMAT_UNSPECIFIED'
  | 'PREVIEW_FORMAT_JPEG'
  | 'PREVIEW_FORMAT_WEBP';

/** Whether preview frames are produced. */
export type PreviewMode =
  | 'PREVIEW_MODE_UNSPECIFIED'
  | 'PREVIEW_MODE_ON'
  | 'PREVIEW_MODE_OFF';

/** Which preview frames a job produces. A watcher may ask for less (WatchOptions), never for more. */
export interface PreviewOptions {
  /** Whether frames are produced at all. */
  mode: PreviewMode;
  /** At most this many frames a second, above 0 and at most 30; 0: 10. */
  max_rate_hz: number;
  /** Longest side of a frame in pixels, 16..2048; larger ones are scaled down. 0: as the backend sends them. */
  max_pixels: number;
  /** Encoding of the frames. */
  format: PreviewFormat;
  /** Quality of JPEG and WebP, 1..100; 0: 80. Only used where a frame is encoded again. */
  quality: number;
}

/** How bad a problem is. */
export type ProblemSeverity =
  | 'PROBLEM_SEVERITY_UNSPECIFIED'
  | 'PROBLEM_SEVERITY_WARNING'
  | 'PROBLEM_SEVERITY_ERROR';

/** How far an attempt is. */
export interface Progress {
  /** Share of the whole job that is done, 0..1; never falls while its attempts go well. */
  fraction: number;
  /** What the backend is doing. */
  phase: Phase;
  /** Steps done in the current pass, 0..steps. */
  step: number;
  /** Steps of the current pass; 0 while it is not known or the phase has no steps. */
  steps: number;
  /** Which image of the job is being made, from 0. */
  image_index: number;
  /** ComfyUI node at work; empty elsewhere. */
  node_id: string;
  /** Its title, or what the backend says that it is doing; may be empty. */
  title: string;
  /** Measured speed of the current pass; absent before two steps were seen. */
  steps_per_second?: number;
}

/** The queue in numbers. */
export interface Queue {
  /** Whether the whole queue is paused. */
  paused: boolean;
  /** Owners whose jobs are paused, in order of their names. */
  paused_owners: string[];
  /** Jobs that wait. */
  queued: number;
  /** Jobs that run. */
  running: number;
  /** Jobs that are being stopped. */
  cancelling: number;
  /** How many jobs may wait in all. */
  max_queued: number;
  /** By owner, in order of their names; only owners with jobs that have not ended. */
  owners: OwnerCount[];
  /** By model, in order of their names; only models of jobs that have not ended. Graphs count under an empty name. */
  models: ModelCount[];
  /** When the job that has waited longest was accepted; absent: none waits. */
  oldest_create_time?: string;
}

/** The ends of the queue. */
export type QueueEnd =
  | 'QUEUE_END_UNSPECIFIED'
  | 'QUEUE_END_FIRST'
  | 'QUEUE_END_LAST';

/** A job that waits. */
export interface QueueEntry {
  /** The job. */
  job_id: string;
  /** Its owner. */
  owner: string;
  /** Its priority class. */
  priority: number;
  /** The model that it asks for; empty: any, or not known. */
  model: string;
  /** When it was accepted. */
  create_time?: string;
  /** Whether somebody paused it. */
  paused: boolean;
  /** Its place and what is foreseen. */
  queue?: QueueInfo;
}

/** A job's place in the queue. */
export interface QueueInfo {
  /** How many queued jobs are ahead of it; 0: it is next. */
  ahead: number;
  /** How many jobs are queued in all, this one included. */
  length: number;
  /** When it is expected to begin, counted from the event's time, or from the answer; absent rather than guessed while there is no measurement. */
  start_eta?: string;
  /** When it is expected to end, by the same prediction and as honest. */
  finish_eta?: string;
  /** The backend where it is expected to run; empty: not known. */
  backend: string;
  /** What it is waiting for. */
  reason: WaitReason;
}

/** How much may wait and run. */
export interface QuotaSettings {
  /** How many jobs may wait in all, 1 or more. */
  max_queued_jobs?: number;
  /** Shares and limits by owner; "*" stands for every owner without an entry of its own. Set as a whole. At most 1,000. */
  owners?: OwnerQuotas;
}

/** A ComfyUI graph in API format. */
export interface RawGraph {
  /** The graph as JSON text: {"3": {"class_type": "KSampler", "inputs": {...}}, ...}, at most 4 MB. Text and not a structure, because seeds go up to 2^64-1 and JSON numbers of other languages do not. */
  json: string;
  /** Assets that are uploaded to the backend before the run, keyed by the input that gets the uploaded file's name: "10.image" is input "image" of node "10". The value is the asset's digest. At most 32. */
  images: Record<string, string>;
  /** Those keys of `images` that are masks, whose white is repainted: what is transparent counts as black, colours as their brightness, as with ImageParameters.mask. Other pictures are handed over as they are. */
  masks: string[];
}

/** Request of ReadAsset. */
export interface ReadAssetRequest {
  /** Digest of the file. */
  digest: string;
  /** First byte to send, from 0. */
  offset: string;
  /** At most this many bytes; 0: to the end. */
  limit: string;
  /** What becomes of the generation metadata inside the file. Offset and limit count in what results. */
  metadata: MetadataPolicy;
  /** Also a file that is deleted and can still be brought back. */
  include_deleted: boolean;
}

/** Response of ReadAsset. */
export interface ReadAssetResponse {
  /** The file. */
  asset?: Asset;
  /** The next bytes. */
  chunk?: string;
}

/** All that there is has been told. */
export interface Ready {
}

/** Request of RefreshBackend. */
export interface RefreshBackendRequest {
  /** Name of the backend. */
  name: string;
}

/** Response of RefreshBackend. */
export interface RefreshBackendResponse {
  /** The backend as it answered. */
  backend?: Backend;
}

/** Request of RefreshModels. */
export interface RefreshModelsRequest {
  /** Only this backend; empty: all. */
  backend: string;
}

/** Response of RefreshModels. */
export interface RefreshModelsResponse {
  /** The models after the refresh. */
  models: Model[];
  /** Backends that did not answer; their lists are as before. */
  unreachable_backends: string[];
}

/** Request of RenderWorkflow. */
export interface RenderWorkflowRequest {
  /** The job: its source, and the backend where it names one. */
  spec?: JobSpec;
}

/** Response of RenderWorkflow. */
export interface RenderWorkflowResponse {
  /** The graph in API format as JSON text. */
  graph_json: string;
  /** Files that would be uploaded first, keyed by "node.input": digests of assets. */
  images: Record<string, string>;
  /** The backend that it is made for. */
  backend: string;
}

/** Events were missed that cannot be replayed. */
export interface Reset {
  /** Why, for a person. */
  reason: string;
}

/** Request of ResumeQueue. */
export interface ResumeQueueRequest {
  /** Only this owner's jobs, which does not help while the whole queue is paused; empty: the whole queue, owners that were paused by themselves left out. */
  owner: string;
}

/** Response of ResumeQueue. */
export interface ResumeQueueResponse {
  /** The queue after the call. */
  queue?: Queue;
}

/** What is kept, and how long. 0: without limit, but for `keep_deleted_hours`. */
export interface RetentionSettings {
  /** How many ended jobs, the newest. */
  keep_jobs?: number;
  /** How many days ended jobs are kept. */
  keep_jobs_days?: number;
  /** How many hours the events of ended jobs can be replayed. */
  keep_events_hours?: number;
  /** How many days pictures and uploads are kept. */
  keep_assets_days?: number;
  /** How many bytes pictures and uploads may take together; the oldest go first. */
  keep_assets_bytes?: string;
  /** How many hours a deleted file can be brought back; 0: it is removed at once. At most 8,760. */
  keep_deleted_hours?: number;
}

/** Request of RetryJob. */
export interface RetryJobRequest {
  /** The job to repeat. */
  job_id: string;
  /** Choose new seeds, so that other images come out. In graphs every input called `seed` or `noise_seed` that holds a number gets a new one; INVALID_ARGUMENT (INVALID_REQUEST) where there is none. Of a workflow its SEED inputs get new values; one that has none is repeated as its graph. */
  new_seeds: boolean;
  /** As in CreateJobRequest. */
  request_id: string;
}

/** Response of RetryJob. */
export interface RetryJobResponse {
  /** The new job. */
  job?: Job;
  /** Whether an earlier call with the same request_id made it. */
  replayed: boolean;
}

/** What can be set. Every field that is unset is as `imagegen.toml`, or else the built-in default, says; an empty text is as good as unset. */
export interface Settings {
  /** What requests get that leave it open. */
  defaults?: GenerationDefaults;
  /** Which preview frames jobs produce that do not say. */
  preview?: PreviewOptions;
  /** What is kept, and how long. */
  retention?: RetentionSettings;
  /** How much may wait and run. */
  quotas?: QuotaSettings;
  /** What chats and OpenAI clients can choose. */
  exposure?: ExposureSettings;
}

/** One change of the settings. */
export interface SettingsChange {
  /** The version that it made. */
  version: string;
  /** When. */
  time?: string;
  /** Who: the call's owner; empty: nobody in particular. */
  owner: string;
  /** What was changed: paths of fields. */
  paths: string[];
  /** What had been set before, of those fields. */
  before?: Settings;
  /** What was set then, of those fields. */
  after?: Settings;
}

/** The job's state changed. */
export interface StateChanged {
  /** The state before. */
  from: JobState;
  /** The state now. */
  to: JobState;
}

/** One thing that changed beside jobs. */
export interface SystemEvent {
  /** A backend as it is now: it is new, or something about it changed. */
  backend?: Backend;
  /** A backend was taken away. */
  backend_removed?: BackendRemoved;
  /** The queue in numbers. At most twice a second. */
  queue?: Queue;
  /** Something was changed that is not told here: read it again where it is shown. */
  changed?: Changed;
  /** All that there is has been told; what follows are changes. */
  ready?: Ready;
  /** Nothing happened for 15 seconds; shows that the stream lives. */
  alive?: Alive;
}

/** What can change. */
export type Topic =
  | 'TOPIC_UNSPECIFIED'
  | 'TOPIC_SETTINGS'
  | 'TOPIC_WORKFLOWS'
  | 'TOPIC_MODELS'
  | 'TOPIC_ASSETS'
  | 'TOPIC_KEYS'
  | 'TOPIC_JOBS';

/** What to do after an UNCERTAIN attempt. */
export type UncertainPolicy =
  | 'UNCERTAIN_POLICY_UNSPECIFIED'
  | 'UNCERTAIN_POLICY_RETRY'
  | 'UNCERTAIN_POLICY_FAIL';

/** Request of UndeleteAsset. */
export interface UndeleteAssetRequest {
  /** Digest of the file. */
  digest: string;
}

/** Response of UndeleteAsset. */
export interface UndeleteAssetResponse {
  /** The file, which is there again. */
  asset?: Asset;
}

/** Request of UndrainBackend. */
export interface UndrainBackendRequest {
  /** Name of the backend. */
  name: string;
}

/** Response of UndrainBackend. */
export interface UndrainBackendResponse {
  /** The backend after the call. */
  backend?: Backend;
}

/** Request of UnloadModels. */
export interface UnloadModelsRequest {
  /** Only this backend; empty: all healthy ones. */
  backend: string;
}

/** Response of UnloadModels. */
export interface UnloadModelsResponse {
  /** Names of the backends that did. */
  backends: string[];
  /** Backends that could not, with the reason. */
  failures: BackendFailure[];
}

/** Request of UpdateAsset. */
export interface UpdateAssetRequest {
  /** Digest of the file. */
  digest: string;
  /** Whether it is a favorite; unset: as it is. */
  favorite?: boolean;
}

/** Response of UpdateAsset. */
export interface UpdateAssetResponse {
  /** The file after the change. */
  asset?: Asset;
}

/** Request of UpdateJob. */
export interface UpdateJobRequest {
  /** The job. */
  job_id: string;
  /** The new priority class, as in JobSpec; unset: as it is. */
  priority?: number;
  /** The new labels, which replace all old ones; absent: as they are. */
  labels?: Labels;
  /** Whether the job is paused: it keeps its place in the queue and is not started. What runs already goes on. Unset: as it is. */
  paused?: boolean;
}

/** Response of UpdateJob. */
export interface UpdateJobResponse {
  /** The job after the change. */
  job?: Job;
}

/** Request of UpdateSettings. */
export interface UpdateSettingsRequest {
  /** The new values. */
  settings?: Settings;
  /** Which fields to change, at most 100: paths as "defaults.steps", or whole groups as "retention"; empty: those that `settings` gives. A list and not a FieldMask, because that would spell names in JSON in another way than all else. */
  update_mask: string[];
  /** The version that the caller has seen: ABORTED (CHANGED_MEANWHILE) if it is another now. 0: not checked. */
  expected_version: string;
}

/** Response of UpdateSettings. */
export interface UpdateSettingsResponse {
  /** What counts now. */
  effective?: Settings;
  /** What was set here. */
  stored?: Settings;
  /** The new version. */
  version: string;
}

/** Request of UpdateWorkflow. */
export interface UpdateWorkflowRequest {
  /** The workflow. */
  workflow_id: string;
  /** The new title; unset: as it is. */
  title?: string;
  /** The new description; unset: as it is. */
  description?: string;
  /** The new graph, as in Workflow; unset: as it is. Not for variants of built-in workflows. */
  graph_json?: string;
  /** The new inputs, which replace all old ones; absent: as they are. */
  inputs?: WorkflowInputs;
  /** The new graph in UI format; unset: as it is. */
  ui_json?: string;
  /** The new labels, which replace all old ones; absent: as they are. */
  labels?: WorkflowLabels;
  /** The revision that the caller has seen: ABORTED (CHANGED_MEANWHILE) if it is not the newest. 0: not checked. */
  expected_revision: number;
}

/** Response of UpdateWorkflow. */
export interface UpdateWorkflowResponse {
  /** The workflow as it is stored. */
  workflow?: Workflow;
}

/** Request of ValidateWorkflow. */
export interface ValidateWorkflowRequest {
  /** A stored workflow, with the values of its inputs as far as they are given: inputs that are required may be missing. */
  workflow?: WorkflowInvocation;
  /** A graph in API format as JSON text, at most 4 MB. */
  graph_json?: string;
  /** Only this backend; empty: all. */
  backend: string;
}

/** Response of ValidateWorkflow. */
export interface ValidateWorkflowResponse {
  /** What each backend says, in the order of the configuration. */
  verdicts: BackendVerdict[];
}

/** What a queued job is waiting for. */
export type WaitReason =
  | 'WAIT_REASON_UNSPECIFIED'
  | 'WAIT_REASON_TURN'
  | 'WAIT_REASON_NO_BACKEND'
  | 'WAIT_REASON_PAUSED'
  | 'WAIT_REASON_RETRY_DELAY'
  | 'WAIT_REASON_OWNER_LIMIT'
  | 'WAIT_REASON_QUEUE_PAUSED';

/** Something that the caller should know although the job goes on. */
export interface Warning {
  /** Upper-case code, stable: SIZE_ADJUSTED, SETTING_REPLACED, CANCEL_NOT_CONFIRMED, PREVIEWS_UNAVAILABLE, PARTIAL_RESULT, BACKEND_RECONNECTED, OUTPUT_UNREADABLE. */
  code: string;
  /** A sentence for a person. */
  message: string;
}

/** Request of WatchJob. */
export interface WatchJobRequest {
  /** The job. */
  job_id: string;
  /** Token of the last event seen; "earliest": every durable event from the first; empty: a snapshot, then live. */
  resume_token: string;
  /** What to send. */
  watch?: WatchOptions;
}

/** Response of WatchJob. */
export interface WatchJobResponse {
  /** What happened. */
  event?: JobEvent;
}

/** Request of WatchJobs. */
export interface WatchJobsRequest {
  /** The jobs; empty: all, also those that are created later. */
  job_ids: string[];
  /** As in WatchJobRequest. Without a token a stream of all jobs begins with a snapshot of each that has not ended. */
  resume_token: string;
  /** What to send. */
  watch?: WatchOptions;
  /** Only jobs of this owner; empty: all. */
  owner: string;
}

/** Response of WatchJobs. */
export interface WatchJobsResponse {
  /** What happened. */
  event?: JobEvent;
}

/** Request of WatchKeys. */
export interface WatchKeysRequest {
}

/** Response of WatchKeys. */
export interface WatchKeysResponse {
  /** All keys. */
  keys: WatchedKey[];
  /** Which server this is. Requests to backends carry it as Imagegen-Via, and a gateway that meets it there refuses them: somebody has made the server a backend of its own. */
  server_id: string;
}

/** What a stream should carry. */
export interface WatchOptions {
  /** Which previews to send. */
  previews: PreviewDelivery;
  /** At most this many previews, and this many progress events, of each job a second; 0: no limit of its own. */
  max_rate_hz: number;
  /** Longest side of a preview in pixels, 16..2048; larger ones are scaled down. 0: as the job produces them. */
  max_pixels: number;
}

/** Request of WatchSystem. */
export interface WatchSystemRequest {
}

/** Response of WatchSystem. */
export interface WatchSystemResponse {
  /** What happened. */
  event?: SystemEvent;
}

/** A key as gateways need it. */
export interface WatchedKey {
  /** The key. */
  key?: Key;
  /** SHA-256 of its secret, 32 bytes. */
  sha256: string;
}

/** A workflow in one revision. */
export interface Workflow {
  /** Its id: 1 to 64 lower-case letters, digits and hyphens. In CreateWorkflow empty: made from the title. */
  workflow_id: string;
  /** Number of the revision, from 1. Chosen by the server. */
  revision: number;
  /** What people call it, at most 128 characters; empty: the id. */
  title: string;
  /** What it is for, at most 4,096 characters. */
  description: string;
  /** The ComfyUI graph in API format as JSON text, at most 4 MB. */
  graph_json: string;
  /** The built-in workflow that it is a variant of, with defaults of its own in `inputs`; empty: it has a graph. */
  base: string;
  /** Its inputs, in the order in which to ask for them. Of a variant: those whose default, range, title, help or group differ from the base's, by name. */
  inputs: WorkflowInput[];
  /** The graph in UI format as it was imported, with the places of its nodes, as JSON text; empty: there is none. Kept for editors; never run. */
  ui_json: string;
  /** Notes of the caller; pages may show them. At most 32 pairs. */
  labels: Record<string, string>;
  /** Whether it is one of ours. Chosen by the server. */
  built_in: boolean;
  /** JSON Schema (2020-12) of an invocation's `inputs`, as JSON text, with choices as the backends have them now. Made by the server: pages, the command line and the OpenAPI document derive their forms from it. */
  input_schema_json: string;
  /** Who stored this revision; empty: nobody in particular. Chosen by the server. */
  owner: string;
  /** When the first revision was stored. Chosen by the server; absent for built-in ones. */
  create_time?: string;
  /** When this revision was stored. Chosen by the server; absent for built-in ones. */
  update_time?: string;
}

/** The form of a workflow. */
export type WorkflowFormat =
  | 'WORKFLOW_FORMAT_UNSPECIFIED'
  | 'WORKFLOW_FORMAT_COMFYUI_API'
  | 'WORKFLOW_FORMAT_COMFYUI_UI'
  | 'WORKFLOW_FORMAT_OPENWEBUI'
  | 'WORKFLOW_FORMAT_A1111';

/** One input of a workflow. Some names mean the same everywhere, and are what chats and other programs fill: prompt, negative_prompt, model, width, height, steps, cfg_scale, sampler, scheduler, seed, count, init_image (and init_image_2, ...), mask, denoise, loras. */
export interface WorkflowInput {
  /** Its name: a lower-case letter, then letters, digits and underscores, 64 characters at most. Unique in the workflow. */
  name: string;
  /** What it takes. */
  type: WorkflowInputType;
  /** Where its value goes: each of these inputs of nodes gets it. At most 64. */
  targets: InputTarget[];
  /** The value where the caller gives none; absent: what the graph holds at the first target. Never for a seed, which the server chooses then. */
  default_value?: Json;
  /** Whether the caller must give a value. */
  required: boolean;
  /** Least number that is allowed (INT, FLOAT, SEED), or least length in characters (STRING, TEXT); unset: what the node allows. */
  minimum?: number;
  /** Greatest number, or length; unset: what the node allows. */
  maximum?: number;
  /** Steps between numbers, above 0; unset: what the node says. A hint for forms, and checked for INT. */
  step?: number;
  /** What a CHOICE or a MODEL allows; empty: what the node allows at the backends, as it is now. At most 1,024. */
  choices: string[];
  /** Of a MODEL: which list its names are from. */
  model_type: ModelType;
  /** What people call it, at most 128 characters; empty: made from the name. */
  title: string;
  /** A sentence of help, at most 1,024 characters. */
  help: string;
  /** Inputs of one group stand together in forms under this heading; empty: the main ones. */
  group: string;
}

/** What an input takes. */
export type WorkflowInputType =
  | 'WORKFLOW_INPUT_TYPE_UNSPECIFIED'
  | 'WORKFLOW_INPUT_TYPE_STRING'
  | 'WORKFLOW_INPUT_TYPE_TEXT'
  | 'WORKFLOW_INPUT_TYPE_INT'
  | 'WORKFLOW_INPUT_TYPE_FLOAT'
  | 'WORKFLOW_INPUT_TYPE_BOOL'
  | 'WORKFLOW_INPUT_TYPE_CHOICE'
  | 'WORKFLOW_INPUT_TYPE_MODEL'
  | 'WORKFLOW_INPUT_TYPE_IMAGE'
  | 'WORKFLOW_INPUT_TYPE_MASK'
  | 'WORKFLOW_INPUT_TYPE_SEED'
  | 'WORKFLOW_INPUT_TYPE_LORAS';

/** A set of inputs. */
export interface WorkflowInputs {
  /** As in Workflow. */
  inputs: WorkflowInput[];
}

/** A stored workflow with values for its inputs. */
export interface WorkflowInvocation {
  /** The workflow, as WorkflowService lists it. */
  workflow_id: string;
  /** Its revision; 0: the newest. Written back, so that the job says what it ran and can be repeated. */
  revision: number;
  /** Values by the name of the input, as the workflow's `input_schema_json` says; inputs that are left out get their default, seeds without one are chosen by the server. All are written back. Integers beyond 2^53 are given as strings of digits; images and masks as digests of assets. */
  inputs?: Record<string, Json>;
}

/** A set of labels. */
export interface WorkflowLabels {
  /** As in Workflow. */
  labels: Record<string, string>;
}

/** Something about a graph that somebody should know. */
export interface WorkflowProblem {
  /** How bad it is. */
  severity: ProblemSeverity;
  /** Upper-case code, stable: NODE_CLASS_MISSING, MODEL_MISSING, FILE_MISSING, VALUE_NOT_ALLOWED, VALUE_OUT_OF_RANGE, VALUE_OF_WRONG_TYPE, INPUT_MISSING, INPUT_UNKNOWN, LINK_DANGLING, LINK_OF_WRONG_TYPE, CYCLE, NO_OUTPUT, NODE_MALFORMED, NOT_SUPPORTED (the backend), CONVERSION (of a UI format), SETTING_LOST (of a `parameters` text). */
  code: string;
  /** A sentence for a person. */
  message: string;
  /** The node; empty: none in particular. In UI format nodes of subgraphs are "12:3". */
  node_id: string;
  /** What people see on it. */
  node_title: string;
  /** Its class. */
  class_type: string;
  /** Its input; empty: none in particular. */
  input: string;
  /** Names that are near to one that is missing, or what is allowed, nearest first, at most 20. */
  suggestions: string[];
}

/** Request of WriteAsset. */
export interface WriteAssetRequest {
  /** What is going to be written. */
  header?: AssetHeader;
  /** The next bytes. */
  chunk?: string;
}

/** Response of WriteAsset. */
export interface WriteAssetResponse {
  /** The stored file. */
  asset?: Asset;
}

/** What each rpc with an address takes and gives. */
export interface Rpcs {
  GetAsset: [GetAssetRequest, GetAssetResponse];
  ListAssets: [ListAssetsRequest, ListAssetsResponse];
  GetAssetFacets: [GetAssetFacetsRequest, GetAssetFacetsResponse];
  UpdateAsset: [UpdateAssetRequest, UpdateAssetResponse];
  DeleteAsset: [DeleteAssetRequest, DeleteAssetResponse];
  UndeleteAsset: [UndeleteAssetRequest, UndeleteAssetResponse];
  ListBackends: [ListBackendsRequest, ListBackendsResponse];
  GetBackend: [GetBackendRequest, GetBackendResponse];
  RefreshBackend: [RefreshBackendRequest, RefreshBackendResponse];
  DrainBackend: [DrainBackendRequest, DrainBackendResponse];
  UndrainBackend: [UndrainBackendRequest, UndrainBackendResponse];
  CreateBackend: [CreateBackendRequest, CreateBackendResponse];
  DeleteBackend: [DeleteBackendRequest, DeleteBackendResponse];
  CreateJob: [CreateJobRequest, CreateJobResponse];
  GetJob: [GetJobRequest, GetJobResponse];
  ListJobs: [ListJobsRequest, ListJobsResponse];
  CancelJob: [CancelJobRequest, CancelJobResponse];
  RetryJob: [RetryJobRequest, RetryJobResponse];
  UpdateJob: [UpdateJobRequest, UpdateJobResponse];
  GetGenerationMetadata: [GetGenerationMetadataRequest, GetGenerationMetadataResponse];
  DeleteJob: [DeleteJobRequest, DeleteJobResponse];
  ListKeys: [ListKeysRequest, ListKeysResponse];
  CreateKey: [CreateKeyRequest, CreateKeyResponse];
  DeleteKey: [DeleteKeyRequest, DeleteKeyResponse];
  ListModels: [ListModelsRequest, ListModelsResponse];
  GetModel: [GetModelRequest, GetModelResponse];
  LoadModel: [LoadModelRequest, LoadModelResponse];
  UnloadModels: [UnloadModelsRequest, UnloadModelsResponse];
  RefreshModels: [RefreshModelsRequest, RefreshModelsResponse];
  GetQueue: [GetQueueRequest, GetQueueResponse];
  ListQueueEntries: [ListQueueEntriesRequest, ListQueueEntriesResponse];
  PauseQueue: [PauseQueueRequest, PauseQueueResponse];
  ResumeQueue: [ResumeQueueRequest, ResumeQueueResponse];
  MoveJob: [MoveJobRequest, MoveJobResponse];
  GetSettings: [GetSettingsRequest, GetSettingsResponse];
  UpdateSettings: [UpdateSettingsRequest, UpdateSettingsResponse];
  ListSettingsChanges: [ListSettingsChangesRequest, ListSettingsChangesResponse];
  GetSystem: [GetSystemRequest, GetSystemResponse];
  ListWorkflows: [ListWorkflowsRequest, ListWorkflowsResponse];
  GetWorkflow: [GetWorkflowRequest, GetWorkflowResponse];
  CreateWorkflow: [CreateWorkflowRequest, CreateWorkflowResponse];
  UpdateWorkflow: [UpdateWorkflowRequest, UpdateWorkflowResponse];
  DeleteWorkflow: [DeleteWorkflowRequest, DeleteWorkflowResponse];
  ListWorkflowRevisions: [ListWorkflowRevisionsRequest, ListWorkflowRevisionsResponse];
  ImportWorkflow: [ImportWorkflowRequest, ImportWorkflowResponse];
  ValidateWorkflow: [ValidateWorkflowRequest, ValidateWorkflowResponse];
  RenderWorkflow: [RenderWorkflowRequest, RenderWorkflowResponse];
  GetNodeDefinitions: [GetNodeDefinitionsRequest, GetNodeDefinitionsResponse];
}

/** Method and address of each rpc; names in braces are fields of the request. */
export const ROUTES = {
  GetAsset: ['GET', '/api/v1/assets/{digest}/info'],
  ListAssets: ['GET', '/api/v1/assets'],
  GetAssetFacets: ['GET', '/api/v1/assets:facets'],
  UpdateAsset: ['PATCH', '/api/v1/assets/{digest}'],
  DeleteAsset: ['DELETE', '/api/v1/assets/{digest}'],
  UndeleteAsset: ['POST', '/api/v1/assets/{digest}:undelete'],
  ListBackends: ['GET', '/api/v1/backends'],
  GetBackend: ['GET', '/api/v1/backends/{name}'],
  RefreshBackend: ['POST', '/api/v1/backends/{name}:refresh'],
  DrainBackend: ['POST', '/api/v1/backends/{name}:drain'],
  UndrainBackend: ['POST', '/api/v1/backends/{name}:undrain'],
  CreateBackend: ['POST', '/api/v1/backends'],
  DeleteBackend: ['DELETE', '/api/v1/backends/{name}'],
  CreateJob: ['POST', '/api/v1/jobs'],
  GetJob: ['GET', '/api/v1/jobs/{job_id}'],
  ListJobs: ['GET', '/api/v1/jobs'],
  CancelJob: ['POST', '/api/v1/jobs/{job_id}:cancel'],
  RetryJob: ['POST', '/api/v1/jobs/{job_id}:retry'],
  UpdateJob: ['PATCH', '/api/v1/jobs/{job_id}'],
  GetGenerationMetadata: ['GET', '/api/v1/assets/{digest}/metadata'],
  DeleteJob: ['DELETE', '/api/v1/jobs/{job_id}'],
  ListKeys: ['GET', '/api/v1/keys'],
  CreateKey: ['POST', '/api/v1/keys'],
  DeleteKey: ['DELETE', '/api/v1/keys/{name}'],
  ListModels: ['GET', '/api/v1/models'],
  GetModel: ['GET', '/api/v1/models/{type}/{name}'],
  LoadModel: ['POST', '/api/v1/models:load'],
  UnloadModels: ['POST', '/api/v1/models:unload'],
  RefreshModels: ['POST', '/api/v1/models:refresh'],
  GetQueue: ['GET', '/api/v1/queue'],
  ListQueueEntries: ['GET', '/api/v1/queue/entries'],
  PauseQueue: ['POST', '/api/v1/queue:pause'],
  ResumeQueue: ['POST', '/api/v1/queue:resume'],
  MoveJob: ['POST', '/api/v1/queue/entries/{job_id}:move'],
  GetSettings: ['GET', '/api/v1/settings'],
  UpdateSettings: ['PATCH', '/api/v1/settings'],
  ListSettingsChanges: ['GET', '/api/v1/settings/changes'],
  GetSystem: ['GET', '/api/v1/system'],
  ListWorkflows: ['GET', '/api/v1/workflows'],
  GetWorkflow: ['GET', '/api/v1/workflows/{workflow_id}'],
  CreateWorkflow: ['POST', '/api/v1/workflows'],
  UpdateWorkflow: ['PATCH', '/api/v1/workflows/{workflow_id}'],
  DeleteWorkflow: ['DELETE', '/api/v1/workflows/{workflow_id}'],
  ListWorkflowRevisions: ['GET', '/api/v1/workflows/{workflow_id}/revisions'],
  ImportWorkflow: ['POST', '/api/v1/workflows:import'],
  ValidateWorkflow: ['POST', '/api/v1/workflows:validate'],
  RenderWorkflow: ['POST', '/api/v1/workflows:render'],
  GetNodeDefinitions: ['GET', '/api/v1/node_definitions'],
} as const satisfies Record<keyof Rpcs, readonly [string, string]>;
