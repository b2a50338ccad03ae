terraform {
  backend "s3" {
    use_path_style              = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_requesting_account_id  = true
  }
}

variable "environment" {
  type = object({
    name   = string
    inputs = object({ cidr = string, state_bucket = string })
  })
}

resource "terraform_data" "subnets" {
  input = [for number in range(2) : cidrsubnet(var.environment.inputs.cidr, 8, number)]
}

output "subnets" {
  value = join(",", terraform_data.subnets.output)
}

output "revision" {
  value = terraform_data.subnets.id
}
