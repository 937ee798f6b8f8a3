# Inputs are in var.pipeline.inputs, and var.service_instances lists every
# instance. The variables are declared in a file that is generated beside this one,
# and so is var.proton_tags.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = var.proton_tags
  }
}

locals {
  # An instance that was never deployed has no outputs.
  queues = { for i in var.service_instances : i.name => i.outputs.QueueUrl if can(i.outputs.QueueUrl) }
}

resource "aws_iam_role" "build" {
  name_prefix = "build-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "logs" {
  role = aws_iam_role.build.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "*"
    }]
  })
}

resource "aws_codebuild_project" "build" {
  name           = var.service.name
  service_role   = aws_iam_role.build.arn
  source_version = var.service.branch_name

  artifacts {
    type = "NO_ARTIFACTS"
  }

  source {
    type      = "GITHUB"
    location  = "https://github.com/${var.service.repository_id}.git"
    buildspec = var.pipeline.inputs.buildspec
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = var.pipeline.inputs.image

    environment_variable {
      name  = "QUEUES"
      value = jsonencode(local.queues)
    }
  }
}

output "Project" {
  value = aws_codebuild_project.build.name
}
