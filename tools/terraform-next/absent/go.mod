module oam.invalid/tools/terraform-next/absent

go 1.26.4
