# Inputs are in var.environment.inputs. The variable is declared in a file that
# is generated beside this one, and so is var.proton_tags.
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
  alarm_email = try(var.environment.inputs.alarm_email, null) # not required
}

resource "aws_cloudwatch_log_group" "logs" {
  name              = var.environment.name
  retention_in_days = var.environment.inputs.log_retention_days
}

resource "aws_sns_topic" "alarms" {
  name = "${var.environment.name}-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = local.alarm_email == null ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = local.alarm_email
}
