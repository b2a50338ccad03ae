// Reads services and instances with the official SDK. Endpoint, region and key come from the environment alone.
import {
  GetServiceCommand,
  ProtonClient,
  paginateListServiceInstances,
  paginateListServices,
  waitUntilServiceInstanceDeployed,
} from "@aws-sdk/client-proton";

const proton = new ProtonClient({ maxAttempts: 1 });
const found = { services: [], instances: [] };
for await (const page of paginateListServices({ client: proton, pageSize: 1 }, {})) {
  found.services.push(...page.services.map((service) => [service.name, service.createdAt instanceof Date]));
}
for await (const page of paginateListServiceInstances({ client: proton, pageSize: 1 }, {})) {
  found.instances.push(...page.serviceInstances.map((instance) => `${instance.serviceName}/${instance.name}`));
}
const { service } = await proton.send(new GetServiceCommand({ name: "web" }));
found.description = service.description;
found.created = service.createdAt.getTime();
const waited = await waitUntilServiceInstanceDeployed(
  { client: proton, minDelay: 1, maxWaitTime: 5 },
  { serviceName: "web", name: "dev" },
);
found.waited = waited.state;
try {
  await proton.send(new GetServiceCommand({ name: "unknown" }));
} catch (error) {
  found.error = [error.name, error.message, error.$metadata.httpStatusCode];
}
console.log(JSON.stringify(found));
